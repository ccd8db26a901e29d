"""Overlaps of a shard with the ones before and after it: preparing the next, writing the last.

Each extends a class that does the same work in turn, for devices that compute on the cores of the caller.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Protocol

from engine.labelling.runners.base import OnDone, ShardError, ShardSteps
from engine.progress import Tick

_TICK_SECONDS = 0.5


class Shards(Protocol):
    """A source of shards."""

    def take(self, *, wait: bool) -> int | None:
        """The next shard. None if there are no more; without ``wait``, also if none is known yet."""


class Cancelled(Exception):
    """The pipeline has ended, and the shard that was being prepared ahead is not needed any more."""


class PrepareInTurn:
    """Takes shards from the source and prepares each when it is its turn, in the caller's thread.

    Args:
        steps: how a shard is prepared.
        shards: the source.
        tick: called with progress, in the caller's thread.
    """

    def __init__(self, steps: ShardSteps, shards: Shards, tick: Tick) -> None:
        self._steps = steps
        self._shards = shards
        self._tick = tick
        self._shard: int | None = None

    def poll(self) -> None:
        """Begin with the next shard, if that can be done ahead and the source knows one."""

    def is_begun(self) -> bool:
        """Whether the next shard is taken already."""
        return False

    def take(self) -> int | None:
        """The next shard, waiting for the source; None if there are no more."""
        self._shard = self._shards.take(wait=True)
        return self._shard

    def prepared(self) -> Any:
        """The shard that `take` gave last, prepared."""
        assert self._shard is not None, "a shard is taken before it is prepared"
        return self._steps.prepare(self._shard, self._tick)

    def cancel(self) -> None:
        """End a preparation that is not needed any more."""


class LookAhead(PrepareInTurn):
    """Prepares one shard at a time in a thread: the next one, while another is computed.

    Args:
        steps: how a shard is prepared.
        shards: the source.
        tick: called with progress, in the caller's thread.
        threads: of which it takes one.
    """

    def __init__(self, steps: ShardSteps, shards: Shards, tick: Tick, threads: ThreadPoolExecutor) -> None:
        super().__init__(steps, shards, tick)
        self._threads = threads
        self._next: tuple[int, Future[Any]] | None = None
        self._taken: Future[Any] | None = None
        self._progress = 0
        self._cancelled = False

    def poll(self) -> None:
        """Begin with the next shard, if nothing is begun and the source knows one."""
        if self._next is None:
            self._begin(self._shards.take(wait=False))

    def is_begun(self) -> bool:
        """Whether the next shard is taken already."""
        return self._next is not None

    def take(self) -> int | None:
        """The next shard, waiting for the source if none is begun; None if there are no more."""
        if self._next is None:
            self._begin(self._shards.take(wait=True))
        if self._next is None:
            return None
        (shard, self._taken), self._next = self._next, None
        return shard

    def _begin(self, shard: int | None) -> None:
        if shard is not None:
            self._next = shard, self._threads.submit(self._steps.prepare, shard, self._count)

    def _count(self, *_: Any) -> None:
        """The tick of a preparation, called in its thread."""
        if self._cancelled:
            raise Cancelled
        self._progress += 1

    def prepared(self) -> Any:
        """Wait for the preparation; ticks as long as it makes progress."""
        assert self._taken is not None, "a shard is taken before it is prepared"
        seen = -1
        while not wait([self._taken], timeout=_TICK_SECONDS).done:
            if self._progress != seen:
                seen = self._progress
                self._tick("preparing", 0, None)
        return self._taken.result()

    def cancel(self) -> None:
        """End the thread's preparation at its next tick."""
        self._cancelled = True


class WriteInTurn:
    """Commits each computed shard at once, in the caller's thread, and reports it.

    Args:
        steps: how a shard is committed.
        done: called with each shard, in the caller's thread and in their order.
    """

    def __init__(self, steps: ShardSteps, done: OnDone) -> None:
        self._steps = steps
        self._done = done

    def write(self, shard: int, computed: Any) -> None:
        """Commit ``shard``, or begin to."""
        with attributed_to(shard):
            report = self._steps.commit(computed)
        self._done(shard, report)

    def poll(self) -> None:
        """Report the shard that was begun, if it is committed by now."""

    def wait(self) -> None:
        """Wait until the shard that was begun is committed, and report it."""


class WriteBehind(WriteInTurn):
    """Commits one shard at a time in a thread, while the next one is computed.

    Args:
        steps: how a shard is committed.
        done: called with each shard, in the caller's thread and in their order.
        threads: of which it takes one.
    """

    def __init__(self, steps: ShardSteps, done: OnDone, threads: ThreadPoolExecutor) -> None:
        super().__init__(steps, done)
        self._threads = threads
        self._writing: tuple[int, Future[Any]] | None = None

    def write(self, shard: int, computed: Any) -> None:
        """Begin to commit ``shard``; the one before is committed."""
        self._writing = shard, self._threads.submit(self._steps.commit, computed)

    def poll(self) -> None:
        """Report the shard that was begun, if it is committed by now; its error waits for `wait`."""
        if self._writing is not None and self._writing[1].done() and self._writing[1].exception() is None:
            self.wait()

    def wait(self) -> None:
        """Wait until the shard that was begun is committed, and report it."""
        if self._writing is None:
            return
        (shard, future), self._writing = self._writing, None
        with attributed_to(shard):
            report = future.result()
        self._done(shard, report)


@contextmanager
def attributed_to(shard: int) -> Iterator[None]:
    """Attribute exceptions raised inside to ``shard``."""
    try:
        yield
    except Exception as error:
        raise ShardError(shard) from error
