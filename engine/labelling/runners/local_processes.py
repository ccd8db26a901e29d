"""Labels with worker processes on this machine, one a device, all fed from one queue: the same for CPUs and GPUs.

A worker that died, raised or fell silent is killed, its shard goes to another one, and a new process takes its slot.
An error that another try cannot help ends the run at once. Every wait has a limit. Loads no torch.
"""

import logging
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait

from engine.errors import LabellingError
from engine.labelling.runners.base import Job, OnDone, Result
from engine.labelling.runners.failures import Attempt, failed_shards_error
from engine.labelling.runners.messages import Done, Failed, Ready, Ticked
from engine.labelling.runners.process import WorkerProcess, end_workers
from engine.labelling.runners.scheduler import ShardQueue, SlotState, assign, slots_to_start
from engine.progress import Tick, silent

# A layer of the largest batch takes a second or so on the slowest device, and every layer ticks.
STALL_SECONDS = 45.0
_log = logging.getLogger("engine.labelling")
_FAILURES_IN_A_ROW = 3
_POLL_SECONDS = 0.25
_SUSPENDED_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class LocalProcesses:
    """A `engine.labelling.runners.base.Runner` with a worker process for each device.

    Attributes:
        devices: one for each worker; the same device may be listed more than once.
        stall_seconds: a worker that has a shard and is silent for so long is stuck.
        load_seconds: the same while it loads the model.
    """

    devices: tuple[str, ...]
    stall_seconds: float = STALL_SECONDS
    load_seconds: float = 180.0

    def call(self, task: Callable[[str], Result]) -> Result:
        """Run ``task`` in this process: it has the devices of its workers."""
        return task(self.devices[0])

    def run(self, job: Job, shards: Sequence[int], *, done: OnDone, tick: Tick = silent) -> None:
        """Label ``shards``; they are handed out in their order. See `Runner.run`."""
        try:
            pickled = pickle.dumps(job)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise LabellingError(
                f"several devices need a store and a model that other processes can open ({error}); label with one "
                "device"
            ) from None
        pool = _Pool(pickled, shards, self, done=done, tick=tick)
        finished = False
        try:
            pool.run()
            finished = True
        finally:
            end_workers(pool.running(), finished=finished)
        if pool.queue.failed_twice:
            raise failed_shards_error(pool.queue.failed_twice)


class _Slot:
    """A worker slot; its process is replaced when it fails.

    Attributes:
        number: of the slot, from 0.
        device: of its processes.
        name: of the device, for messages.
        process: the current one; None between two, and if the slot is given up.
        shards: how many were done here.
        failures: in a row, without a shard done.
        given_up: whether no further process is started.
        error: the last one.
    """

    def __init__(self, number: int, device: str, name: str) -> None:
        self.number = number
        self.device = device
        self.name = name
        self.process: WorkerProcess | None = None
        self.shards = 0
        self.failures = 0
        self.given_up = False
        self.error = ""

    def state(self) -> SlotState:
        """As the scheduler sees it."""
        process = self.process
        return SlotState(
            number=self.number,
            running=process is not None,
            ready=process is not None and process.ready,
            shards=tuple(process.shards) if process is not None else (),
            given_up=self.given_up,
        )


class _Pool:
    """The worker processes of one run.

    Attributes:
        queue: shards that no worker has.
    """

    def __init__(self, job: bytes, shards: Sequence[int], limits: LocalProcesses, *, done: OnDone, tick: Tick) -> None:
        self.queue = ShardQueue(shards)
        self._job = job
        self._limits = limits
        self._done = done
        self._tick = tick
        twice = {device for device in limits.devices if limits.devices.count(device) > 1}
        self._slots = [
            _Slot(number, device, f"{device} (worker {number})" if device in twice else device)
            for number, device in enumerate(limits.devices)
        ]

    def running(self) -> list[WorkerProcess]:
        """Processes that have not been ended."""
        return [slot.process for slot in self._slots if slot.process is not None]

    def run(self) -> None:
        """Run until every shard is done or skipped."""
        polled = time.monotonic()
        while self.queue or any(process.shard is not None for process in self.running()):
            self._start_processes()
            self._hand_out_shards()
            readable = wait([process.connection for process in self.running()], timeout=_POLL_SECONDS)
            for slot in self._slots:
                if slot.process is not None and slot.process.connection in readable:
                    self._receive(slot, slot.process)
            self._kill_stuck(suspended=time.monotonic() - polled > _SUSPENDED_SECONDS)
            polled = time.monotonic()

    def _states(self) -> list[SlotState]:
        return [slot.state() for slot in self._slots]

    def _start_processes(self) -> None:
        if all(slot.given_up for slot in self._slots):
            raise LabellingError(self._no_device_left())
        for number in slots_to_start(self.queue, self._states()):
            slot = self._slots[number]
            slot.process = WorkerProcess(self._job, slot.device)

    def _no_device_left(self) -> str:
        reasons = "\n  ".join(f"{slot.name}: {slot.error}" for slot in self._slots)
        return (
            f"no device is left: each failed {_FAILURES_IN_A_ROW} times in a row, and {len(self.queue)} shards are "
            f"not labelled. What was committed stays; mend the cause and run the same command again\n  {reasons}"
        )

    def _hand_out_shards(self) -> None:
        for number, shard in assign(self.queue, self._states()):
            process = self._slots[number].process
            assert process is not None, "a shard is assigned to a slot without a process"
            process.give(shard)

    def _receive(self, slot: _Slot, process: WorkerProcess) -> None:
        message = process.receive()
        if isinstance(message, Ready):
            process.ready = True
        elif isinstance(message, Ticked):
            process.rows = message.rows
        elif isinstance(message, Done):
            process.finish(message.shard)
            slot.shards, slot.failures = slot.shards + 1, 0
            self._done(message.shard, message.report)
        elif isinstance(message, Failed):
            self._fail(slot, process, message)
        else:
            self._replace(slot, process, process.died())
        self._tick("labelling", sum(process.rows for process in self.running() if process.shard is not None), None)

    def _fail(self, slot: _Slot, process: WorkerProcess, message: Failed) -> None:
        _log.debug("%s", message.trace)
        if message.final is not None:
            raise message.raised(f"{_named(message.shard)} on {slot.name}")
        process.kill()
        self._replace(slot, process, message.text)

    def _kill_stuck(self, *, suspended: bool) -> None:
        """Kill workers that are silent for too long; if this process itself was suspended, that time does not count."""
        now = time.monotonic()
        for slot in self._slots:
            process = slot.process
            if process is None or (process.ready and process.shard is None):
                continue
            if suspended:
                process.heard = now
            limit = self._limits.stall_seconds if process.ready else self._limits.load_seconds
            if now - process.heard > limit:
                process.kill()
                self._replace(slot, process, f"it said nothing for {limit:g} s and was ended")

    def _replace(self, slot: _Slot, process: WorkerProcess, error: str) -> None:
        """Empty the slot of a process that has ended and take its shards back; its current one counts as failed."""
        slot.process, slot.error = None, error
        slot.failures += 1
        shard, again = process.shard, True
        self.queue.return_fresh(process.shards[1:])
        if shard is not None:
            again = self.queue.give_back(shard, Attempt(worker=slot.number, device=slot.name, error=error))
        _log.warning(
            "%s on %s: %s; %s", _named(shard), slot.name, error, "it is tried again" if again else "it is put aside"
        )
        if shard is not None and not again:
            self._forgive(self.queue.failed_twice[shard])
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
