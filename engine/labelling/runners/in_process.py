"""Labels in the calling process, one shard after the other. Loads no torch itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import EngineError, LabellingError
from engine.labelling.runners.base import Job, OnDone, Result, ShardError
from engine.labelling.runners.failures import describe
from engine.labelling.runners.pipeline import Pipeline
from engine.progress import Tick, silent
from store.errors import StoreError


@dataclass(frozen=True)
class InProcess:
    """A `engine.labelling.runners.base.Runner` whose only worker is this process. It tries no shard twice.

    Attributes:
        device: of this process.
    """

    device: str

    @property
    def devices(self) -> tuple[str, ...]:
        """The one device."""
        return (self.device,)

    def call(self, task: Callable[[str], Result]) -> Result:
        """Run ``task`` here."""
        return task(self.device)

    def run(self, job: Job, shards: Sequence[int], *, done: OnDone, tick: Tick = silent) -> None:
        """Label ``shards`` in their order, up to the first error. See `Runner.run`."""
        steps = job.open(self.device)
        tick("labelling", 0, None)
        # All cores compute: preparing the next shard at the same time would compete with that.
        pipeline = Pipeline(steps, ahead=False, behind=False, tick=tick, done=done)
        try:
            pipeline.run(_Listed(shards))
        except ShardError as failure:
            error = failure.__cause__
            if not isinstance(error, Exception) or isinstance(error, EngineError | StoreError | OSError):
                raise error or failure from None
            raise LabellingError(
                f"shard {failure.shard} on {self.device}: {describe(error)}. What was committed stays; run the same "
                "command again to go on, or with --devices twice the same device, which puts such a shard aside"
            ) from error


class _Listed:
    """A source of shards that are all known."""

    def __init__(self, shards: Sequence[int]) -> None:
        self._left = iter(shards)

    def take(self, *, wait: bool) -> int | None:  # noqa: ARG002 - it never has to wait
        return next(self._left, None)
