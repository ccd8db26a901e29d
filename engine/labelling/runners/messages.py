"""What a worker process and its parent say to each other. Loads no torch: the parent need not have it in memory.

The parent sends the pickled job and the name of the device, then shard numbers, of which the worker has two at most:
one in hand and the one that comes next; then None. The worker answers `Ready` once, `Ticked` often, `Done` once a shard
and in their order, and `Failed` once, as its last word.
"""

import errno
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.errors import EngineError
from engine.labelling.pipeline import ShardError, ShardSteps
from store.errors import StoreError

if TYPE_CHECKING:
    from engine.labelling.summary import ShardReport

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# One write of a pipe's message: a worker that is ended in the middle of a longer one would leave its parent reading.
_LONGEST_TEXT = 6_000


class Job(Protocol):
    """Work that can be pickled and opened in any process."""

    def open(self, device: str) -> ShardSteps:
        """Load what it takes to label on ``device``."""


@dataclass(frozen=True)
class Ready:
    """The job is open."""


@dataclass(frozen=True)
class Ticked:
    """Work goes on.

    Attributes:
        rows: of the shard in hand that are done.
    """

    rows: int


@dataclass(frozen=True)
class Done:
    """A shard is committed.

    Attributes:
        shard: its number.
        report: what it took; None where another run had committed it.
    """

    shard: int
    report: "ShardReport | None"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job could not be opened, or a shard not be labelled. The worker exits after saying so.

    Attributes:
        shard: its number; None where the job could not be opened.
        text: kind and message of the error, and the batch.
        trace: where it came from, for a log.
        final: the error's kind where trying again cannot help; None where it may.
        number: ``errno`` of an OSError.
    """

    shard: int | None
    text: str
    trace: str
    final: type[Exception] | None = None
    number: int | None = None

    def raised(self, where: str) -> Exception:
        """A final error again, as the caller is to see it."""
        assert self.final is not None, "this error may be cured by another try"
        text = f"{self.text} ({where})"
        return OSError(self.number, text) if issubclass(self.final, OSError) else self.final(text)


Message = Ready | Ticked | Done | Failed


def failed(error: Exception) -> Failed:
    """What a worker says of ``error``."""
    shard = None
    if isinstance(error, ShardError) and isinstance(error.__cause__, Exception):
        shard, error = error.shard, error.__cause__
    final = is_final(error)
    own = final and not isinstance(error, OSError)
    text = with_notes(str(error), error) if own else describe(error)
    return Failed(
        shard=shard,
        text=text[:_LONGEST_TEXT],
        trace="".join(traceback.format_exception(error))[-_LONGEST_TEXT:],
        final=type(error) if final else None,
        number=error.errno if isinstance(error, OSError) else None,
    )


def is_final(error: Exception) -> bool:
    """Whether trying again cannot help: what the user has to mend, and a full disk."""
    return isinstance(error, EngineError | StoreError) or (isinstance(error, OSError) and error.errno in NO_SPACE)


def describe(error: BaseException) -> str:
    """Kind and first line of an error, and its notes, such as the batch it came from."""
    line = next(iter(str(error).strip().splitlines()), "")
    return with_notes(f"{type(error).__name__}: {line}" if line else type(error).__name__, error)


def with_notes(text: str, error: BaseException) -> str:
    """``text`` with the notes that were put on ``error`` on its way."""
    return ", ".join([text, *getattr(error, "__notes__", [])])
