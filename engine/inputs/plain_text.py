"""Plain text → raw blocks: a row a line."""

from collections.abc import Iterator

from engine.inputs.blocks import RawBlock, Row, blocks_of_rows
from engine.inputs.columns import ColumnNames, Columns
from engine.inputs.lines import LINE_BYTES, lines_of
from engine.inputs.options import Reading, ReadOptions


def read_text(file: str, _: ColumnNames, __: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a text file: one a line."""
    reading = Reading(columns=Columns(text="text", id=None, label=None, extras=()))
    yield from blocks_of_rows((_text_row(line) for line in lines_of(file)), reading)


def _text_row(line: bytes | None) -> Row:
    if line is None:
        return {}, f"the line is longer than {LINE_BYTES:,} bytes"
    return {"text": line.removesuffix(b"\n").removesuffix(b"\r")}, None
