"""Labels with the workers of a crew, all fed from one queue, wherever they run.

A worker that died, raised or fell silent is killed, its shard goes to another one, and a new worker takes its slot.
An error that another try cannot help ends the run at once. Every wait has a limit. Loads no torch.
"""

import logging
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from engine.errors import LabellingError
from engine.labelling.runners.base import Job, OnDone
from engine.labelling.runners.failures import Attempt, failed_shards_error
from engine.labelling.runners.handle import Crew, Worker
from engine.labelling.runners.messages import Begun, Done, Failed, Ready, Ticked
from engine.labelling.runners.scheduler import ShardQueue, SlotState, assign, slots_to_start
from engine.progress import Tick

_log = logging.getLogger("engine.labelling")
_FAILURES_IN_A_ROW = 3
_POLL_SECONDS = 0.25
_SUSPENDED_SECONDS = 5.0


def pickled(job: Job) -> bytes:
    """The job, for other processes.

    Raises:
        LabellingError: only this process can open its store or its model.
    """
    try:
        return pickle.dumps(job)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise LabellingError(
            f"several workers need a store and a model that other processes can open ({error}); label with one device"
        ) from None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a worker may be silent.

    Attributes:
        stall_seconds: with a shard in hand.
        load_seconds: while it loads the model.
    """

    stall_seconds: float
    load_seconds: float


class _Slot(Generic[Worker]):
    """A worker slot; its worker is replaced when it fails.

    Attributes:
        number: of the slot, from 0.
        device: of its workers.
        name: of the device, for messages.
        worker: the current one; None between two, and if the slot is given up.
        shards: how many were done here.
        failures: in a row, without a shard done.
        given_up: whether no further worker is started.
        error: the last one.
    """

    def __init__(self, number: int, device: str, name: str) -> None:
        self.number = number
        self.device = device
        self.name = name
        self.worker: Worker | None = None
        self.shards = 0
        self.failures = 0
        self.given_up = False
        self.error = ""

    def state(self) -> SlotState:
        """As the scheduler sees it."""
        worker = self.worker
        return SlotState(
            number=self.number,
            running=worker is not None,
            ready=worker is not None and worker.ready,
            shards=tuple(worker.shards) if worker is not None else (),
            given_up=self.given_up,
        )


class Pool(Generic[Worker]):
    """The workers of one run.

    Args:
        crew: starts and ends them.
        job: pickled.
        slots: of each worker its device, and its name in messages.
        limits: of their silence.
        done: as of `engine.labelling.runners.base.Runner.run`.
        tick: likewise.
    """

    def __init__(
        self,
        crew: Crew[Worker],
        job: bytes,
        slots: Sequence[tuple[str, str]],
        limits: Limits,
        *,
        done: OnDone,
        tick: Tick,
    ) -> None:
        self._queue = ShardQueue(())
        self._crew = crew
        self._job = job
        self._limits = limits
        self._done = done
        self._tick = tick
        self._slots = [_Slot[Worker](number, device, name) for number, (device, name) in enumerate(slots)]

    def run(self, shards: Sequence[int]) -> None:
        """Run until every shard is done or skipped; leaves no worker behind, however it ends.

        Raises:
            LabellingError, EngineError, StoreError, OSError: as `engine.labelling.runners.base.Runner.run`.
        """
        self._queue = ShardQueue(shards)
        finished = False
        try:
            self._run()
            finished = True
        finally:
            self._crew.end(self._running(), finished=finished)
        if self._queue.failed_twice:
            raise failed_shards_error(self._queue.failed_twice)

    def _running(self) -> list[Worker]:
        return [slot.worker for slot in self._slots if slot.worker is not None]

    def _run(self) -> None:
        polled = time.monotonic()
        while self._queue or any(worker.shard is not None for worker in self._running()):
            self._start_workers()
            self._hand_out_shards()
            heard = self._crew.wait(self._running(), _POLL_SECONDS)
            for slot in self._slots:
                if slot.worker is not None and slot.worker in heard:
                    self._receive(slot, slot.worker)
            self._kill_stuck(suspended=time.monotonic() - polled > _SUSPENDED_SECONDS)
            self._retire_idle()
            polled = time.monotonic()

    def _states(self) -> list[SlotState]:
        return [slot.state() for slot in self._slots]

    def _start_workers(self) -> None:
        if all(slot.given_up for slot in self._slots):
            raise LabellingError(self._no_device_left())
        for number in slots_to_start(self._queue, self._states()):
            slot = self._slots[number]
            slot.worker = self._crew.start(self._job, slot.device)

    def _no_device_left(self) -> str:
        reasons = "\n  ".join(f"{slot.name}: {slot.error}" for slot in self._slots)
        return (
            f"no device is left: each failed {_FAILURES_IN_A_ROW} times in a row, and {len(self._queue)} shards are "
            f"not labelled. What was committed stays; mend the cause and run the same command again\n  {reasons}"
        )

    def _hand_out_shards(self) -> None:
        for number, shard in assign(self._queue, self._states()):
            worker = self._slots[number].worker
            assert worker is not None, "a shard is assigned to a slot without a worker"
            worker.give(shard)

    def _receive(self, slot: _Slot[Worker], worker: Worker) -> None:
        message = worker.receive()
        if isinstance(message, Begun):
            worker.begun, slot.name = True, message.where
        elif isinstance(message, Ready):
            worker.ready = True
        elif isinstance(message, Ticked):
            worker.rows = message.rows
        elif isinstance(message, Done):
            worker.finish(message.shard)
            slot.shards, slot.failures = slot.shards + 1, 0
            self._done(message.shard, message.report)
        elif isinstance(message, Failed):
            self._fail(slot, worker, message)
        else:
            self._replace(slot, worker, worker.died())
        self._tick("labelling", sum(worker.rows for worker in self._running() if worker.shard is not None), None)

    def _fail(self, slot: _Slot[Worker], worker: Worker, message: Failed) -> None:
        _log.debug("%s", message.trace)
        if message.final is not None:
            raise message.raised(f"{_named(message.shard)} on {slot.name}")
        worker.kill()
        self._replace(slot, worker, message.text)

    def _kill_stuck(self, *, suspended: bool) -> None:
        """Kill workers that are silent for too long; if this process itself was suspended, that time does not count."""
        now = time.monotonic()
        for slot in self._slots:
            worker = slot.worker
            if worker is None or not worker.begun or (worker.ready and worker.shard is None):
                continue
            if suspended:
                worker.heard = now
            limit = self._limits.stall_seconds if worker.ready else self._limits.load_seconds
            if now - worker.heard > limit:
                worker.kill()
                self._replace(slot, worker, f"it said nothing for {limit:g} s and was ended")

    def _retire_idle(self) -> None:
        """End the workers that have nothing to do and will get nothing, if what they hold serves others."""
        if not self._crew.retires or self._queue:
            return
        for slot in self._slots:
            if slot.worker is not None and slot.worker.shard is None:
                self._crew.end([slot.worker], finished=True)
                slot.worker = None

    def _replace(self, slot: _Slot[Worker], worker: Worker, error: str) -> None:
        """Empty the slot of a worker that has ended and take its shards back; its current one counts as failed."""
        slot.worker, slot.error = None, error
        slot.failures += not worker.preempted
        shard, again = worker.shard, True
        self._queue.return_fresh(worker.shards if worker.lost else worker.shards[1:])
        if shard is not None and not worker.lost:
            again = self._queue.give_back(shard, Attempt(worker=slot.number, device=slot.name, error=error))
        _log.warning(
            "%s on %s: %s; %s", _named(shard), slot.name, error, "it is tried again" if again else "it is put aside"
        )
        if shard is not None and not again:
            self._forgive(self._queue.failed_twice[shard])
        slot.given_up = slot.failures >= _FAILURES_IN_A_ROW
        if slot.given_up:
            _log.warning("%s failed %d times in a row and is given up", slot.name, slot.failures)

    def _forgive(self, attempts: list[Attempt]) -> None:
        """A shard that failed twice is itself the cause: do not count it against slots that did other shards."""
        for attempt in attempts:
            slot = self._slots[attempt.worker]
            if slot.shards:
                slot.failures = max(0, slot.failures - 1)


def _named(shard: int | None) -> str:
    return "loading the model" if shard is None else f"shard {shard}"
