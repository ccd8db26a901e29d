"""Messages between a worker process and its parent. Loads no torch: the parent does not need it in memory.

The parent sends the pickled job and the name of the device, then shard numbers, of which the worker has two at most
(the current one and the next one), then None. The worker answers `Ready` once, `Ticked` often, `Done` once a shard and
in their order, and `Failed` once, as its last message.
"""

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.labelling.runners.base import ShardError
from engine.labelling.runners.failures import describe, is_final, with_notes

if TYPE_CHECKING:
    from engine.labelling.summary import ShardReport

# So that a message is one write to the pipe: a worker killed in the middle of a longer one would leave its parent
# waiting for the rest.
_LONGEST_TEXT = 6_000


@dataclass(frozen=True)
class Begun:
    """The worker runs. Only one that may have had to wait for a machine says so.

    Attributes:
        where: the machine and the device, for messages.
        node: id of the machine in its cluster.
    """

    where: str
    node: str


@dataclass(frozen=True)
class Ready:
    """The worker has opened the job."""


@dataclass(frozen=True)
class Ticked:
    """The worker makes progress.

    Attributes:
        rows: rows of the current shard that are done.
    """

    rows: int


@dataclass(frozen=True)
class Done:
    """A shard is committed.

    Attributes:
        shard: its number.
        report: its report; None if another run had committed it.
    """

    shard: int
    report: "ShardReport | None"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job could not be opened, or a shard could not be labelled. The worker exits after this message.

    Attributes:
        shard: its number; None if the job could not be opened.
        text: kind and message of the error, and the batch.
        trace: the traceback, for a log.
        final: class of the error if another try cannot help; None if it may.
        number: ``errno`` of an OSError.
    """

    shard: int | None
    text: str
    trace: str
    final: type[Exception] | None = None
    number: int | None = None

    def raised(self, where: str) -> Exception:
        """The final error, rebuilt for the caller; ``where`` names the shard and the device."""
        assert self.final is not None, "this error may go away with another try"
        text = f"{self.text} ({where})"
        return OSError(self.number, text) if issubclass(self.final, OSError) else self.final(text)


Message = Begun | Ready | Ticked | Done | Failed


def failed(error: Exception) -> Failed:
    """The message of a worker that ``error`` ends."""
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
