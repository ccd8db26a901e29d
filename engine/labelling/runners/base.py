"""Who carries out a label job: the protocols of jobs, of their steps and of runners. No torch, no processes.

To add a runner (a cluster, a queue), write a class with the two methods of `Runner`. Its task for a shard, which runs
anywhere the job can be unpickled, is ``label_missing(job.open(device), shard)`` of `engine.labelling.shard`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from engine.progress import Tick

Result = TypeVar("Result")

OnDone = Callable[[int, Any], None]
"""Called once for each shard that is committed: its number, and its report; None if another run had committed it."""


class ShardSteps(Protocol):
    """How a shard is labelled; `engine.labelling.shard.Labeller` is one.

    Each step may be repeated: the same shard gives the same bytes, and the first commit counts.
    """

    def prepare(self, shard: int, tick: Tick) -> Any:
        """Do everything that needs no device; None if the shard is committed already."""

    def compute(self, prepared: Any, tick: Tick) -> Any:
        """Do everything that needs the device."""

    def commit(self, computed: Any) -> Any:
        """Write the result and commit it; the report."""


class Job(Protocol):
    """A label job: it can be pickled, and opened in any process."""

    @property
    def label_set(self) -> str:
        """Name of the label set."""

    @property
    def keep_tokens(self) -> bool:
        """Whether token ids are stored too."""

    def open(self, device: str) -> ShardSteps:
        """Load everything that labelling on ``device`` needs."""


class StoreJob(Job, Protocol):
    """A label job whose shards are those of a store."""

    def of_run(self, run_log: str) -> "StoreJob":
        """The same job for one run: `open` refuses a store without its ``run_log``, which is another one."""


class Runner(Protocol):
    """Carries out label jobs on its workers."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Device of each worker, as the worker names it."""

    def call(self, task: Callable[[str], Result]) -> Result:
        """Run ``task(device)`` where a worker's device is, and return its result.

        Args:
            task: called with the first device. It and its result can be pickled.
        """

    def run(self, job: Job, shards: Sequence[int], *, done: OnDone, tick: Tick) -> None:
        """Label ``shards``, in any order, each until it is committed or has failed for good.

        Returns when all are done, and leaves no worker behind, however it ends. ``done`` and ``tick`` are called in
        the caller's thread; an exception of theirs, such as KeyboardInterrupt, stops the run.

        Args:
            job: how a shard is labelled.
            shards: their numbers.
            done: called with each committed shard.
            tick: called with the number of rows done of the shards that are being labelled; the first call says that
                the first worker has loaded the model.

        Raises:
            LabellingError: some shards failed, and the message names each; all others are committed.
            EngineError, StoreError, OSError: an error that another try cannot help (`failures.is_final`). It ends the
                run at once; what is committed stays.
        """


class ShardError(Exception):
    """An error while a shard was labelled; the cause is the error itself.

    Args:
        shard: its number.
    """

    def __init__(self, shard: int) -> None:
        super().__init__(f"shard {shard}")
        self.shard = shard
