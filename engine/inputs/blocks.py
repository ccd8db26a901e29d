"""Rows of any format → raw blocks: some rows as they stand in their file, as Arrow columns, small enough to hold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from engine.inputs.columns import Columns
from engine.inputs.kinds import Kind
from engine.inputs.labels.spelling import is_verdict
from engine.inputs.options import Reading

BLOCK_ROWS = 1024
BLOCK_BYTES = 32 << 20

Problems = list[str | None]
"""A reason a row, a `Reason` where there is more to say of it, or None."""

Row = tuple[dict[str, bytes | None], str | None]
"""Values by column, and the reason why the row is refused, if it is."""


class Reason(str):
    """Why a row is refused, in words that are equal for equal faults; where it is, is said beside them.

    Attributes:
        position: of the fault, in bytes from 0; None if it has none.
        lines: how many lines of the file the row takes.
        first_line: the first of them, from 1; None if it is not known.
    """

    __slots__ = ("first_line", "lines", "position")
    position: int | None
    lines: int
    first_line: int | None

    def __new__(
        cls, words: str, *, position: int | None = None, lines: int = 1, first_line: int | None = None
    ) -> "Reason":
        """``words``, and where the fault is."""
        self = super().__new__(cls, words)
        self.position, self.lines, self.first_line = position, lines, first_line
        return self


def in_detail(reason: str) -> str:
    """``reason`` with its position and lines, for a message."""
    if not isinstance(reason, Reason):
        return reason
    position = "" if reason.position is None else f" at byte {reason.position:,}"
    return f"{reason}{position}{_lines_of(reason)}"


def _lines_of(reason: Reason) -> str:
    first, lines = reason.first_line, reason.lines
    if first is not None:
        return f" (line {first:,})" if lines == 1 else f" (lines {first:,} to {first + lines - 1:,})"
    return f" (the row takes {lines:,} lines)" if lines > 1 else ""


class LabelFault(Reason):
    """Why a label cannot be used. The text beside it can."""

    __slots__ = ()


def label_count_problem(labels: int) -> LabelFault:
    """What is wrong with several labels."""
    return LabelFault(f"it has {labels:,} labels, and a text has one")


def labels_problem(labels: Sequence[Any], way: str = "") -> LabelFault | None:
    """What is wrong with several labels; None if they are all the same. Zeros and ones may stand for classes instead.

    Args:
        labels: of one text.
        way: how the place of the only 1 is written instead, for the end of the message.
    """
    if all(isinstance(label, int | float) and label in (0, 1) for label in labels):
        if sum(labels) != 1:
            return label_count_problem(len(labels))
        return LabelFault(
            f"label has a 0 or 1 for each of {len(labels):,} classes (one-hot), or is {len(labels):,} labels; if it is "
            f"one-hot, write the place of its 1{way}"
        )
    if all(label == labels[0] for label in labels):
        return None
    if any(isinstance(label, float) and not label.is_integer() for label in labels):
        return LabelFault(
            f"label has {len(labels):,} numbers; if they are scores of {len(labels):,} classes, write the place of the "
            f"largest{way}"
        )
    return label_count_problem(len(labels))


@dataclass(frozen=True, kw_only=True)
class RawBlock:
    """Rows as they stand in the file.

    Attributes:
        reading: how the file is read.
        first_row: number of the first row in its file, from 1.
        data: the columns. Text is a string or binary array of bytes that may not be UTF-8.
        problems: what the format itself forbids, a reason or None a row; its columns are null there.
        kinds: of the columns that are written as text here, and are more than that.
    """

    reading: Reading
    first_row: int
    data: dict[str, pa.Array]
    problems: Problems
    kinds: dict[str, Kind] = field(default_factory=dict)

    @property
    def columns(self) -> Columns:
        """Which column is what."""
        return self.reading.columns

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self.problems)


def blocks_of_rows(rows: Iterable[Row], reading: Reading) -> Iterator[RawBlock]:
    """Single rows → blocks of up to `BLOCK_ROWS` rows, fewer where they pass `BLOCK_BYTES`."""
    first_row, held, size = 1, list[Row](), 0
    for row in rows:
        held.append(row)
        size += sum(len(value) for value in row[0].values() if value is not None)
        if len(held) == BLOCK_ROWS or size >= BLOCK_BYTES:
            yield _block(held, reading, first_row)
            first_row, held, size = first_row + len(held), [], 0
    if held:
        yield _block(held, reading, first_row)


def _block(rows: list[Row], reading: Reading, first_row: int) -> RawBlock:
    names = reading.columns.names()
    return RawBlock(
        reading=reading,
        first_row=first_row,
        data={name: pa.array([values.get(name) for values, _ in rows], pa.large_binary()) for name in names},
        problems=[problem for _, problem in rows],
    )


def rows_at_once(columns: Columns) -> int:
    """How many rows a block may have that is read without a look at each: more, for which Arrow is called less often.

    What annotation tools say of labels is judged a block of `BLOCK_ROWS` rows at a time, since stores were made so.
    """
    return BLOCK_ROWS if any(map(is_verdict, columns.extras)) else 4 * BLOCK_ROWS


def blocks_of_batches(
    batches: Iterable[pa.RecordBatch], reading: Reading, *, rows: int = BLOCK_ROWS
) -> Iterator[RawBlock]:
    """Record batches of any size → blocks of up to ``rows`` rows."""
    first_row = 1
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            piece = batch.slice(start, rows)
            data = {name: piece.column(name) for name in reading.columns.names()}
            yield RawBlock(reading=reading, first_row=first_row, data=data, problems=[None] * piece.num_rows)
            first_row += piece.num_rows
