"""What an error means for a run: whether a shard is tried again, and how the user is told. No torch."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.errors import EngineError, LabellingError
from store.errors import StoreError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A failed try to label a shard.

    Attributes:
        worker: number of the worker.
        device: its device, as messages name it.
        error: the error, and the batch.
    """

    worker: int
    device: str
    error: str


def is_final(error: Exception) -> bool:
    """Whether another try cannot help: the user has to correct something, or a disk is full."""
    return isinstance(error, EngineError | StoreError) or (isinstance(error, OSError) and error.errno in NO_SPACE)


def describe(error: BaseException) -> str:
    """Kind and first line of an error, and its notes, such as the batch in which it was raised."""
    line = next(iter(str(error).strip().splitlines()), "")
    return with_notes(f"{type(error).__name__}: {line}" if line else type(error).__name__, error)


def with_notes(text: str, error: BaseException) -> str:
    """``text`` and the notes that were added to ``error``."""
    return ", ".join([text, *getattr(error, "__notes__", [])])


def failed_shards_error(failed: Mapping[int, Sequence[Attempt]]) -> LabellingError:
    """The error of a run in which all other shards are committed.

    Args:
        failed: the attempts at each shard that failed twice.
    """
    lines = [
        f"shard {shard}: " + "; ".join(f"on {attempt.device}: {attempt.error}" for attempt in attempts)
        for shard, attempts in sorted(failed.items())
    ]
    many = "1 shard" if len(failed) == 1 else f"{len(failed)} shards"
    head = f"{many} failed twice; the others are committed. Run the same command again to try what failed"
    return LabellingError("\n  ".join([head, *lines]))
