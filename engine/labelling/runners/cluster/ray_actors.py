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
from engine.labelling.runners.failures import describe, is_final
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
        """Run ``task`` on a node, in a process that has what a worker has.

        Raises:
            LabellingError: no node takes it, or it fails there for a reason that is none of ours.
        """
        ray = connect(self.on)
        remote = ray.remote(_run).options(**needs_of(self.device, ray.nodes()), max_retries=3)
        called = remote.remote(Home.here(), pickle.dumps(task), self.device)
        limit = self.pending_seconds + self.load_seconds
        try:
            if not ray.wait([called], timeout=limit)[0]:
                ray.cancel(called, force=True)
                raise LabellingError(
                    f"no node has looked at the model within {limit:.0f} s: each worker needs a "
                    f"{'GPU' if self.device == 'cuda' else 'core'}, and the cluster has {in_words(resources(ray))} in "
                    "all, in use or not. Add nodes, or end what uses them, and run the same command again"
                )
            answer = ray.get(called)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception) and is_final(cause):
                raise cause from None
            reason = describe(cause if isinstance(cause, Exception) else error)
            raise LabellingError(f"a node could not look at the model: {reason}") from None
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
