"""Labels on a Ray cluster, one actor a GPU or a core. No torch; Ray only starts processes: the store is the queue."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import LabellingError
from engine.labelling.runners.base import Job, OnDone, Result
from engine.labelling.runners.cluster.actor import Home
from engine.labelling.runners.cluster.connection import check_address, connect, in_words, needs_of, resources
from engine.labelling.runners.cluster.crew import RayCrew
from engine.labelling.runners.failures import is_final
from engine.labelling.runners.pool import Limits, Pool, pickled
from engine.progress import Tick, silent

STALL_SECONDS = 60.0  # a little more than on one machine: messages travel


@dataclass(frozen=True, kw_only=True)
class RayActors:
    """A `engine.labelling.runners.base.Runner` with an actor of Ray for each device.

    Attributes:
        on: the cluster, as `engine.labelling.runners.cluster.connection.check_address` has it.
        device: ``cpu``: a core for each worker; ``cuda``: a GPU.
        workers: how many.
        stall_seconds: a worker that has a shard and is silent for so long is stuck.
        load_seconds: the same while it loads the model.
        pending_seconds: the run ends if no worker has found a node after so long.
    """

    on: str
    device: str
    workers: int
    stall_seconds: float = STALL_SECONDS
    load_seconds: float = 600.0
    pending_seconds: float = 900.0

    @property
    def devices(self) -> tuple[str, ...]:
        """One for each worker; GPUs are counted over all nodes."""
        names = ["cpu" if self.device == "cpu" else f"cuda:{number}" for number in range(self.workers)]
        return tuple(names)

    def call(self, task: Callable[[str], Result]) -> Result:
        """Run ``task`` on a node, in a process that has what a worker has."""
        ray = connect(self.on)
        remote = ray.remote(_run).options(**needs_of(self.device, ray.nodes()), max_retries=3)
        try:
            answer = ray.get(remote.remote(Home.here(), pickle.dumps(task), self.device))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, Exception) and is_final(error.cause):
                raise error.cause from None
            raise
        result: Result = pickle.loads(answer)
        return result

    def run(self, job: Job, shards: Sequence[int], *, done: OnDone, tick: Tick = silent) -> None:
        """Label ``shards``. See `Runner.run`."""
        ray = connect(self.on)
        crew = RayCrew(ray, needs_of(self.device, ray.nodes()), pending_seconds=self.pending_seconds)
        slots = [(self.device, f"worker {number} of Ray") for number in range(self.workers)]
        limits = Limits(stall_seconds=self.stall_seconds, load_seconds=self.load_seconds)
        Pool(crew, pickled(job), slots, limits, done=done, tick=tick).run(shards)


def ray_actors(on: str, devices: Sequence[str], workers: int | None) -> RayActors:
    """The runner for a cluster.

    Args:
        on: the cluster.
        devices: ``cpu`` or ``cuda``, or ``auto``: GPUs if it has any.
        workers: how many; all GPUs or cores that the cluster has now if None.

    Raises:
        LabellingError: there is no such cluster, or it has no such devices; or a device is named by its number.
    """
    check_address(on)
    if len(devices) != 1 or devices[0] not in ("auto", "cpu", "cuda"):
        raise LabellingError(
            f"--devices is {','.join(devices)}; with --on it is auto, cpu or cuda, and --workers says how many"
        )
    found = resources(connect(on))
    device = devices[0] if devices[0] != "auto" else "cuda" if found.get("GPU") else "cpu"
    there = int(found.get("GPU" if device == "cuda" else "CPU", 0))
    if workers is None and not there:
        raise LabellingError(
            f"the cluster at {on} has {in_words(found)}, so that no worker can run on {device}; if nodes are added "
            "when there is work, say for how many with --workers"
        )
    return RayActors(on=on, device=device, workers=workers or there)


def _run(home: Home, task: bytes, device: str) -> Any:
    """On a node: run a pickled task; its result, pickled."""
    home.enter("a node")
    return pickle.dumps(pickle.loads(task)(device))
