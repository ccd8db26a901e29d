"""Labels on a Ray cluster, one actor a GPU or a core. No torch; Ray only starts processes: the store is the queue."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import LabellingError
from engine.labelling.runners.base import Job, OnDone, Result
from engine.labelling.runners.cluster.connection import check_address, connect, in_words, needs_of, resources
from engine.labelling.runners.cluster.crew import RayCrew
from engine.labelling.runners.cluster.standby import Standby
from engine.labelling.runners.failures import describe, is_final
from engine.labelling.runners.pool import Limits, Pool, pickled
from engine.progress import Tick, silent

_TRIES = 4
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
    _held: list[Standby] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def devices(self) -> tuple[str, ...]:
        """One for each worker; GPUs are counted over all nodes."""
        names = ["cpu" if self.device == "cpu" else f"cuda:{number}" for number in range(self.workers)]
        return tuple(names)

    def begin(self, shards: int) -> None:
        """Start the workers that ``shards`` need: they import, while others do what comes before labelling."""
        self._standby().begin(min(self.workers, shards))

    def end(self) -> None:
        """End the workers that were started and have no job."""
        for standby in self._held:
            standby.end()

    def call(self, task: Callable[[str], Result]) -> Result:
        """Run ``task`` on a node, in the process of a worker: one that was started, if there are any.

        Raises:
            LabellingError: no node takes it, or it fails there for a reason that is none of ours.
        """
        standby, tries = self._standby(), 0
        while True:
            standby.begin(1)
            if (actor := standby.first(self._limit)) is None:
                raise self._too_late()
            try:
                result: Result = pickle.loads(self._called(actor, task))
            except _GoneError as error:
                standby.drop(actor)
                tries += 1
                if tries == _TRIES or "ModuleNotFoundError" in str(error):
                    raise LabellingError(f"a node could not look at the model: {error}") from None
            else:
                return result

    @property
    def _limit(self) -> float:
        """Seconds within which a node looks at the model."""
        return self.pending_seconds + self.load_seconds

    def _called(self, actor: Any, task: Callable[[str], Any]) -> bytes:
        """What ``task`` returns in ``actor``, pickled.

        Raises:
            _GoneError: the actor cannot be reached any more.
            LabellingError: it has not begun, or is not done in time, or it fails for a reason that is none of ours.
        """
        ray = connect(self.on)
        called = actor.call.remote(pickle.dumps(task), self.device)
        try:
            if not ray.wait([called], timeout=self._limit)[0]:
                raise self._too_late()
            answer: bytes = ray.get(called)
        except ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception) and is_final(cause):
                raise cause from None
            reason = describe(cause if isinstance(cause, Exception) else error)
            raise LabellingError(f"a node could not look at the model: {reason}") from None
        except ray.exceptions.RayError as error:
            raise _GoneError(describe(error)) from None
        return answer

    def _too_late(self) -> LabellingError:
        """The error that no node has looked at the model in time; no worker waits for one any more."""
        self.end()
        need, found = "GPU" if self.device == "cuda" else "core", in_words(resources(connect(self.on)))
        return LabellingError(
            f"no node has looked at the model within {self._limit:.0f} s: each worker needs a {need}, and the cluster "
            f"has {found} in all, in use or not. Add nodes, or end what uses them, and run the same command again"
        )

    def _standby(self) -> Standby:
        """The actors that are there before their job is known."""
        if not self._held:
            ray = connect(self.on)
            self._held.append(Standby(ray, needs_of(self.device, ray.nodes())))
        return self._held[0]

    def run(self, job: Job, shards: Sequence[int], *, done: OnDone, tick: Tick = silent) -> None:
        """Label ``shards``. See `Runner.run`."""
        crew = RayCrew(connect(self.on), self._standby(), pending_seconds=self.pending_seconds)
        slots = [(self.device, f"worker {number} of Ray") for number in range(self.workers)]
        limits = Limits(stall_seconds=self.stall_seconds, load_seconds=self.load_seconds)
        Pool(crew, pickled(job), slots, limits, done=done, tick=tick).run(shards)


class _GoneError(Exception):
    """An actor died, or cannot be reached."""


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
