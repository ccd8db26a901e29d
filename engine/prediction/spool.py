"""Input files → files of texts of a few thousand rows each, in the order of the input; refused rows are among them.

Every row of the input is one row here, also if an id comes twice: a prediction is made for each.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.blocks import RawBlock, in_detail
from engine.inputs.check_rows import Block, check_block
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import read_raw
from engine.inputs.messages import merged
from engine.inputs.options import ReadOptions
from engine.inputs.paths.no_rows import no_rows
from engine.inputs.shapes.likely_id import id_note
from engine.prediction.stdin import Source
from engine.prediction.work_folder import TEXTS_SCHEMA, WorkFolder
from engine.progress import Tick

CHUNK_ROWS = 4096
CHUNK_BYTES = 32 << 20
_SHOWN = 5


@dataclass(kw_only=True)
class Spooled:
    """What was read.

    Attributes:
        chunks: rows of each file of texts.
        rejected: how many of them are refused.
        reasons: of the first of these, with their places.
        characters: of all texts.
        notes: what a user has to know of how the files are read.
    """

    chunks: list[int] = field(default_factory=list)
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    characters: int = 0
    notes: list[str] = field(default_factory=list)


def spool(
    source: Source, columns: ColumnNames, options: ReadOptions, folder: WorkFolder, *, on_bad_row: str, tick: Tick
) -> Spooled:
    """Write the rows of ``source`` into ``folder``.

    Args:
        source: the files, in the order of their rows.
        columns: names of their columns, as far as they are given; labels are not read.
        options: how they are read.
        folder: takes the files of texts.
        on_bad_row: ``reject`` or ``fail``.
        tick: told of rows.

    Raises:
        InputError: a file cannot be read, has no rows, or has a bad row and ``on_bad_row`` is ``fail``.
    """
    spooled, held = Spooled(), _Held(folder)
    for file in source.files:
        for block in _blocks(file, source.name_of(file), columns, options):
            _note(block, spooled)
            if spooled.rejected and on_bad_row == "fail":
                raise InputError(f"{spooled.reasons[0]}. Mend the row or pass --on-bad-row=reject")
            held.add(_rows(block))
            tick("reading rows", held.rows, None)
    held.flush()
    if not held.rows:
        raise InputError(no_rows(source.files))
    spooled.chunks, spooled.characters = held.chunks, held.characters
    spooled.notes = merged(spooled.notes, source.files)
    return spooled


def _blocks(file: str, name: str, columns: ColumnNames, options: ReadOptions) -> Iterator[Block]:
    """The rows of ``file``, of which only id and text are looked at."""
    wanted = dataclasses.replace(columns, label=NO_COLUMN)
    for raw in read_raw(file, wanted, options):
        hints = id_note(raw.columns, raw.data, wanted, name) if raw.first_row == 1 else []
        yield check_block(_without_extras(raw, (*raw.reading.notes, *hints)), file=name)


def _without_extras(raw: RawBlock, notes: tuple[str, ...]) -> RawBlock:
    columns = dataclasses.replace(raw.columns, extras=(), label=None)
    return dataclasses.replace(raw, reading=dataclasses.replace(raw.reading, columns=columns, notes=notes))


def _note(block: Block, spooled: Spooled) -> None:
    spooled.notes += [note for note in block.reading.notes if note not in spooled.notes]
    for row, problem in enumerate(block.problems):
        if problem is not None:
            spooled.rejected += 1
            if len(spooled.reasons) < _SHOWN:
                spooled.reasons.append(f"{block.file} row {block.first_row + row:,}: {in_detail(problem)}")


def _rows(block: Block) -> pa.Table:
    """Id, text and reason; the text of a refused row is null."""
    reasons = pa.array([None if problem is None else str(problem) for problem in block.problems], pa.string())
    texts = pc.if_else(reasons.is_null(), block.text, None)
    return pa.table([block.id, texts, reasons], names=TEXTS_SCHEMA.names).cast(TEXTS_SCHEMA)


class _Held:
    """Rows that are not written yet."""

    def __init__(self, folder: WorkFolder) -> None:
        self.chunks: list[int] = []
        self.characters = 0
        self.rows = 0
        self._folder = folder
        self._tables: list[pa.Table] = []
        self._held = self._bytes = 0

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self.characters += pc.sum(pc.utf8_length(table["text"])).as_py() or 0
        while table.num_rows:
            piece = table.slice(0, CHUNK_ROWS - self._held)
            self._tables.append(piece)
            self._held += piece.num_rows
            self._bytes += piece.nbytes
            table = table.slice(piece.num_rows)
            if self._held == CHUNK_ROWS or self._bytes >= CHUNK_BYTES:
                self.flush()

    def flush(self) -> None:
        if self._held:
            self._folder.write_texts(len(self.chunks), pa.concat_tables(self._tables))
            self.chunks.append(self._held)
            self._tables, self._held, self._bytes = [], 0, 0
