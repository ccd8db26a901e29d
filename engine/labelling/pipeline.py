"""Shards one after the other, so that the device waits for none: while one is computed, the next one is prepared.

Where the device works by itself, the last one is written meanwhile, too. Knows no model and no process.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Protocol

from engine.progress import Tick

_TICK_SECONDS = 0.5

OnDone = Callable[[int, Any], None]
"""Told of each shard that is committed: its number, and its report; None where another run had committed it."""


class ShardSteps(Protocol):
    """What is done with a shard; `engine.labelling.shard.Labeller` is one."""

    def prepare(self, shard: int, tick: Tick) -> Any:
        """All that needs no device; None where there is nothing to do."""

    def compute(self, prepared: Any, tick: Tick) -> Any:
        """All that needs the device."""

    def commit(self, computed: Any) -> Any:
        """Write what was computed; the report."""


class Shards(Protocol):
    """Where shards come from."""

    def take(self, *, wait: bool) -> int | None:
        """The next shard. None where there are no more; without ``wait``, also where none is known yet."""


class ShardError(Exception):
    """What befell a shard; its cause is the error.

    Args:
        shard: its number.
    """

    def __init__(self, shard: int) -> None:
        super().__init__(f"shard {shard}")
        self.shard = shard


class Cancelled(Exception):
    """The pipeline has ended, and what was prepared ahead is not needed any more."""


class Pipeline:
    """Labels the shards that it is given.

    Args:
        steps: what is done with each.
        ahead: whether the next shard is prepared while one is computed.
        behind: whether a shard is committed while the next one is computed.
        tick: told of progress, in the caller's thread.
        done: told of each shard, in the caller's thread, in their order.
    """

    def __init__(self, steps: ShardSteps, *, ahead: bool, behind: bool, tick: Tick, done: OnDone) -> None:
        self._steps = steps
        self._ahead = ahead
        self._behind = behind
        self._tick = tick
        self._done = done
        self._ended = False
        self._steps_ahead = 0
        self._following: tuple[int, Callable[[], Any]] | None = None
        self._writing: tuple[int, Future[Any]] | None = None

    def run(self, shards: Shards) -> None:
        """Until there are no more.

        Raises:
            ShardError: from the first error, with the shard that it befell; those before it are committed.
        """
        with ThreadPoolExecutor(2, thread_name_prefix="shard") as threads:
            try:
                for shard, prepared in self._prepared(shards, threads):
                    self._label(shard, prepared, lambda: self._look_ahead(shards, threads), threads)
                self._written()
            finally:
                self._ended = True

    def _prepared(self, shards: Shards, threads: ThreadPoolExecutor) -> Iterator[tuple[int, Callable[[], Any]]]:
        """Each shard, with what gives it prepared."""
        while True:
            if self._following is None:
                self._written()
                self._following = self._begin(shards.take(wait=True), threads)
            if self._following is None:
                return
            following, self._following = self._following, None
            yield following

    def _look_ahead(self, shards: Shards, threads: ThreadPoolExecutor) -> None:
        """Begin to prepare the next shard, where it is known by now."""
        if self._ahead and self._following is None:
            self._following = self._begin(shards.take(wait=False), threads)

    def _begin(self, shard: int | None, threads: ThreadPoolExecutor) -> tuple[int, Callable[[], Any]] | None:
        if shard is None:
            return None
        if not self._ahead:
            return shard, lambda: self._steps.prepare(shard, self._tick)
        future = threads.submit(self._steps.prepare, shard, self._go_on)
        return shard, lambda: self._awaited(future)

    def _go_on(self, *_: Any) -> None:
        """The tick of the shard ahead, in its thread: what nobody waits for any more is ended."""
        if self._ended:
            raise Cancelled
        self._steps_ahead += 1

    def _awaited(self, future: Future[Any]) -> Any:
        """The result; as long as its thread gets on, that is told."""
        seen = -1
        while not wait([future], timeout=_TICK_SECONDS).done:
            if self._steps_ahead != seen:
                seen = self._steps_ahead
                self._tick("preparing", 0, None)
        return future.result()

    def _label(
        self, shard: int, prepared: Callable[[], Any], look_ahead: Callable[[], None], threads: ThreadPoolExecutor
    ) -> None:
        def tick(what: str, rows: int, total: int | None) -> None:
            look_ahead()  # the next shard may become known only while this one is computed
            self._tick_and_see(what, rows, total)

        try:
            with _of(shard):
                ready = prepared()
                look_ahead()
                computed = None if ready is None else self._steps.compute(ready, tick)
        finally:
            self._written()  # whatever befell this shard, the one before counts
        if computed is None:
            self._done(shard, None)
        elif self._behind:
            self._writing = shard, threads.submit(self._steps.commit, computed)
        else:
            with _of(shard):
                report = self._steps.commit(computed)
            self._done(shard, report)

    def _tick_and_see(self, what: str, rows: int, total: int | None) -> None:
        """Tick, and say so where the shard before is written by now."""
        if self._writing is not None and self._writing[1].done() and self._writing[1].exception() is None:
            self._written()
        self._tick(what, rows, total)

    def _written(self) -> None:
        """Wait until the shard before is written."""
        if self._writing is None:
            return
        (shard, future), self._writing = self._writing, None
        with _of(shard):
            report = future.result()
        self._done(shard, report)


@contextmanager
def _of(shard: int) -> Iterator[None]:
    """What goes wrong inside befalls ``shard``."""
    try:
        yield
    except Exception as error:
        raise ShardError(shard) from error
