"""One worker process a device, all fed from one queue of shards: the same for CPUs and GPUs.

A worker that died, raised or fell silent is ended, its shard goes to another, and a new process takes its place. What
no second try can mend ends the run at once. Every wait has a limit. Loads no torch.
"""

import logging
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait

from engine.errors import LabellingError
from engine.labelling.pipeline import OnDone
from engine.labelling.runners.messages import Done, Failed, Job, Ready, Ticked
from engine.labelling.runners.process import WorkerProcess, end_workers
from engine.labelling.runners.scheduler import Attempt, ShardQueue
from engine.progress import Tick, silent

# A layer of the largest batch takes a second or so on the slowest device; every layer is heard of.
STALL_SECONDS = 45.0
_log = logging.getLogger("engine.labelling")
_FAILURES_IN_A_ROW = 3
_LOOK_SECONDS = 0.25
_SUSPENDED_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class FleetConfig:
    """Who labels, and how long they may be silent.

    Attributes:
        devices: one for each worker; the same one may be there more than once.
        stall_seconds: a worker that has a shard and says nothing for so long is stuck.
        load_seconds: the same, for loading the model.
    """

    devices: tuple[str, ...]
    stall_seconds: float = STALL_SECONDS
    load_seconds: float = 180.0


def run_fleet(job: Job, shards: Sequence[int], config: FleetConfig, *, done: OnDone, tick: Tick = silent) -> None:
    """Label ``shards``, with a process for each device.

    Args:
        job: what is done with a shard; it is pickled.
        shards: in the order in which they are given out.
        config: the devices and limits.
        done: told of each shard.
        tick: told how many rows of the shards in hand are done.

    Raises:
        LabellingError: shards failed twice (all others are done), or no device is left.
        EngineError, StoreError, OSError: what a worker met and no second try can mend.
    """
    try:
        pickled = pickle.dumps(job)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise LabellingError(
            f"several devices need a store and a model that other processes can open ({error}); label with one device"
        ) from None
    fleet = _Fleet(pickled, shards, config, done=done, tick=tick)
    finished = False
    try:
        fleet.run()
        finished = True
    finally:
        end_workers(fleet.running(), finished=finished)
    if fleet.queue.poison:
        raise LabellingError(_poisoned(fleet.queue.poison))


def _poisoned(poison: dict[int, list[Attempt]]) -> str:
    lines = [
        f"shard {shard}: " + "; ".join(f"on {attempt.device}: {attempt.error}" for attempt in attempts)
        for shard, attempts in sorted(poison.items())
    ]
    many = "1 shard" if len(poison) == 1 else f"{len(poison)} shards"
    head = f"{many} failed twice; the others are committed. Run the same command again to try what failed"
    return "\n  ".join([head, *lines])


class _Seat:
    """A worker's place: one process after another sits in it.

    Attributes:
        number: of the worker, from 0.
        device: on which its processes work.
        name: of the device, for messages.
        process: the one that runs; None between two, and where the seat is given up.
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

    def is_idle(self) -> bool:
        """Whether a process is here that has no shard, or will have none when the model is loaded."""
        return self.process is not None and self.process.shard is None


class _Fleet:
    def __init__(self, job: bytes, shards: Sequence[int], config: FleetConfig, *, done: OnDone, tick: Tick) -> None:
        self.queue = ShardQueue(shards)
        self._job = job
        self._config = config
        self._done = done
        self._tick = tick
        twice = {device for device in config.devices if config.devices.count(device) > 1}
        self._seats = [
            _Seat(number, device, f"{device} (worker {number})" if device in twice else device)
            for number, device in enumerate(config.devices)
        ]

    def running(self) -> list[WorkerProcess]:
        """Processes that have not been ended."""
        return [seat.process for seat in self._seats if seat.process is not None]

    def run(self) -> None:
        """Until every shard is done or put aside."""
        looked = time.monotonic()
        while self.queue or any(process.shard is not None for process in self.running()):
            self._fill_seats()
            self._give_shards()
            heard = wait([process.connection for process in self.running()], timeout=_LOOK_SECONDS)
            for seat in self._seats:
                if seat.process is not None and seat.process.connection in heard:
                    self._hear(seat, seat.process)
            self._end_silent(suspended=time.monotonic() - looked > _SUSPENDED_SECONDS)
            looked = time.monotonic()

    def _fill_seats(self) -> None:
        """Start processes where there is work for them that none which is idle or loading will take."""
        left = [seat for seat in self._seats if not seat.given_up]
        if not left:
            raise LabellingError(self._nobody_left())
        work = {seat.number: self.queue.count(seat.number, alone=len(left) == 1) for seat in left}
        for seat in left:
            # An idle one that may take none of what is left (it has failed there) does not stand in another's way.
            idle = sum(1 for other in left if other.is_idle() and work[other.number])
            if seat.process is None and work[seat.number] > idle:
                seat.process = WorkerProcess(self._job, seat.device)

    def _nobody_left(self) -> str:
        reasons = "\n  ".join(f"{seat.name}: {seat.error}" for seat in self._seats)
        return (
            f"no device is left: each failed {_FAILURES_IN_A_ROW} times in a row, and {len(self.queue)} shards are "
            f"not labelled. What was committed stays; mend the cause and run the same command again\n  {reasons}"
        )

    def _give_shards(self) -> None:
        left = [seat for seat in self._seats if not seat.given_up]
        for seat in left:
            if seat.process is not None and seat.process.ready and seat.process.shard is None:
                shard = self.queue.take(seat.number, alone=len(left) == 1)
                if shard is not None:
                    seat.process.give(shard)
        # First one for each, then what comes next; a shard that is tried again is alone, so that it alone is to blame.
        for seat in left:
            if (
                seat.process is not None
                and len(seat.process.shards) == 1
                and self.queue.is_fresh(seat.process.shards[0])
            ):
                shard = self.queue.take_fresh(seat.number, alone=len(left) == 1, keep=len(left) - 1)
                if shard is not None:
                    seat.process.give(shard)

    def _hear(self, seat: _Seat, process: WorkerProcess) -> None:
        message = process.hear()
        if isinstance(message, Ready):
            process.ready = True
        elif isinstance(message, Ticked):
            process.rows = message.rows
        elif isinstance(message, Done):
            process.finish(message.shard)
            seat.shards, seat.failures = seat.shards + 1, 0
            self._done(message.shard, message.report)
        elif isinstance(message, Failed):
            self._fail(seat, process, message)
        else:
            self._replace(seat, process, process.died())
        self._tick("labelling", sum(process.rows for process in self.running() if process.shard is not None), None)

    def _fail(self, seat: _Seat, process: WorkerProcess, message: Failed) -> None:
        _log.debug("%s", message.trace)
        if message.final is not None:
            raise message.raised(f"{_named(message.shard)} on {seat.name}")
        process.kill()
        self._replace(seat, process, message.text)

    def _end_silent(self, *, suspended: bool) -> None:
        """End workers that are stuck. Where this process itself was suspended, nobody is blamed for that time."""
        now = time.monotonic()
        for seat in self._seats:
            process = seat.process
            if process is None or (process.ready and process.shard is None):
                continue
            if suspended:
                process.heard = now
            limit = self._config.stall_seconds if process.ready else self._config.load_seconds
            if now - process.heard > limit:
                process.kill()
                self._replace(seat, process, f"it said nothing for {limit:g} s and was ended")

    def _replace(self, seat: _Seat, process: WorkerProcess, error: str) -> None:
        """Empty the seat of a process that has ended, and give its shards back: the one in hand is to blame."""
        seat.process, seat.error = None, error
        seat.failures += 1
        shard, again = process.shard, True
        self.queue.return_fresh(process.shards[1:])
        if shard is not None:
            again = self.queue.give_back(shard, Attempt(worker=seat.number, device=seat.name, error=error))
        ending = "it is tried again" if again else "it is put aside"
        _log.warning("%s on %s: %s; %s", _named(shard), seat.name, error, ending)
        if shard is not None and not again:
            self._forgive(self.queue.poison[shard])
        seat.given_up = seat.failures >= _FAILURES_IN_A_ROW
        if seat.given_up:
            _log.warning("%s failed %d times in a row and is given up", seat.name, seat.failures)

    def _forgive(self, attempts: list[Attempt]) -> None:
        """Failures with a poison shard are the shard's; they are not held against a worker that did others."""
        for attempt in attempts:
            seat = self._seats[attempt.worker]
            if seat.shards:
                seat.failures = max(0, seat.failures - 1)


def _named(shard: int | None) -> str:
    return "loading the model" if shard is None else f"shard {shard}"
