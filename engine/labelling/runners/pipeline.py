"""One worker's shards, overlapped so that its device does not wait. Knows no model and no process.

While a shard is computed, the next one is prepared (`LookAhead`) and, if the device works by itself, the last one is
written (`WriteBehind`). Each overlaps through one thread, and both are polled between the batches of the computation.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.labelling.runners.base import OnDone, ShardSteps
from engine.labelling.runners.overlap import (
    LookAhead,
    PrepareInTurn,
    Shards,
    WriteBehind,
    WriteInTurn,
    attributed_to,
)
from engine.progress import Tick


class Pipeline:
    """Labels the shards of a source, one after the other.

    Args:
        steps: how each shard is labelled.
        ahead: whether the next shard is prepared while one is computed.
        behind: whether a shard is committed while the next one is computed.
        tick: called with progress, in the caller's thread.
        done: called with each shard, in the caller's thread and in their order.
    """

    def __init__(self, steps: ShardSteps, *, ahead: bool, behind: bool, tick: Tick, done: OnDone) -> None:
        self._steps = steps
        self._ahead = ahead
        self._behind = behind
        self._tick = tick
        self._done = done

    def run(self, shards: Shards) -> None:
        """Label shards until there are no more.

        Raises:
            ShardError: at the first error, with its shard; those before it are committed.
        """
        with ThreadPoolExecutor(2, thread_name_prefix="shard") as threads:
            ahead = (
                LookAhead(self._steps, shards, self._tick, threads)
                if self._ahead
                else PrepareInTurn(self._steps, shards, self._tick)
            )
            behind = (
                WriteBehind(self._steps, self._done, threads) if self._behind else WriteInTurn(self._steps, self._done)
            )
            try:
                while (shard := _next_shard(ahead, behind)) is not None:
                    self._label(shard, ahead, behind)
                behind.wait()
            finally:
                ahead.cancel()

    def _label(self, shard: int, ahead: PrepareInTurn, behind: WriteInTurn) -> None:
        try:
            with attributed_to(shard):
                computed = self._compute(ahead, behind)
        finally:
            behind.wait()  # even if this shard failed, the one before it counts
        if computed is None:
            self._done(shard, None)
        else:
            behind.write(shard, computed)

    def _compute(self, ahead: PrepareInTurn, behind: WriteInTurn) -> Any:
        """Compute the shard that was taken last, polling both overlaps between its batches; None if it is committed."""

        def tick(what: str, rows: int, total: int | None) -> None:
            ahead.poll()
            behind.poll()
            self._tick(what, rows, total)

        prepared = ahead.prepared()
        ahead.poll()
        return None if prepared is None else self._steps.compute(prepared, tick)


def _next_shard(ahead: PrepareInTurn, behind: WriteInTurn) -> int | None:
    if not ahead.is_begun():
        behind.wait()  # the source may take long: everything is committed and told before it is waited for
    return ahead.take()
