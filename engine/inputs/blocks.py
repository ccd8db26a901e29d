"""Rows of any format → raw blocks: some rows as they stand in their file, as Arrow columns, small enough to hold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from engine.inputs.columns import Columns

BLOCK_ROWS = 1024
BLOCK_BYTES = 32 << 20

Problems = list[str | None]
Row = tuple[dict[str, bytes | None], str | None]
"""Values by column, and what the format forbids about them."""


@dataclass(frozen=True, kw_only=True)
class RawBlock:
    """Rows as they stand in the file.

    Attributes:
        columns: which column is what.
        first_row: number of the first row in its file, from 1.
        data: the columns. Text is a string or binary array of bytes that may not be UTF-8.
        problems: what the format itself forbids, a reason or None a row; its columns are null there.
    """

    columns: Columns
    first_row: int
    data: dict[str, pa.Array]
    problems: Problems

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self.problems)


def blocks_of_rows(rows: Iterable[Row], columns: Columns) -> Iterator[RawBlock]:
    """Single rows → blocks of up to `BLOCK_ROWS` rows, fewer where they pass `BLOCK_BYTES`."""
    first_row, held, size = 1, list[Row](), 0
    for row in rows:
        held.append(row)
        size += sum(len(value) for value in row[0].values() if value is not None)
        if len(held) == BLOCK_ROWS or size >= BLOCK_BYTES:
            yield _block(held, columns, first_row)
            first_row, held, size = first_row + len(held), [], 0
    if held:
        yield _block(held, columns, first_row)


def _block(rows: list[Row], columns: Columns, first_row: int) -> RawBlock:
    return RawBlock(
        columns=columns,
        first_row=first_row,
        data={name: pa.array([values.get(name) for values, _ in rows], pa.large_binary()) for name in columns.names()},
        problems=[problem for _, problem in rows],
    )


def blocks_of_batches(batches: Iterable[pa.RecordBatch], columns: Columns) -> Iterator[RawBlock]:
    """Record batches of any size → blocks of up to `BLOCK_ROWS` rows."""
    first_row = 1
    for batch in batches:
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            piece = batch.slice(start, BLOCK_ROWS)
            data = {name: piece.column(name) for name in columns.names()}
            yield RawBlock(columns=columns, first_row=first_row, data=data, problems=[None] * piece.num_rows)
            first_row += piece.num_rows
