"""Labels with worker processes on this machine, one a device: the same for CPUs and GPUs. Loads no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.labelling.runners.base import Job, OnDone, Result
from engine.labelling.runners.pool import Limits, Pool, pickled
from engine.labelling.runners.process import Processes
from engine.progress import Tick, silent

# A layer of the largest batch takes a second or so on the slowest device, and every layer ticks.
STALL_SECONDS = 45.0


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
        twice = {device for device in self.devices if self.devices.count(device) > 1}
        slots = [
            (device, f"{device} (worker {number})" if device in twice else device)
            for number, device in enumerate(self.devices)
        ]
        limits = Limits(stall_seconds=self.stall_seconds, load_seconds=self.load_seconds)
        Pool(Processes(), pickled(job), slots, limits, done=done, tick=tick).run(shards)
