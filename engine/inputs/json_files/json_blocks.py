"""Objects of a JSON file → raw blocks of the columns that were chosen, in bounded memory."""

import dataclasses
import io
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from engine.inputs.blocks import BLOCK_BYTES, BLOCK_ROWS, Problems, RawBlock, Reason, rows_at_once
from engine.inputs.json_files.columns_of_objects import ids, kept, labels, texts
from engine.inputs.json_files.nested_values import Place
from engine.inputs.json_files.objects import JsonObject, objects_of_lines
from engine.inputs.json_lines.plain_lines import PlainLines
from engine.inputs.json_lines.runs_of_lines import RunsOfLines
from engine.inputs.kinds import Kind
from engine.inputs.lines import all_lines
from engine.inputs.options import Reading

_SHOWN = 10
_LONGEST = 100  # characters of a name
_LATE_ID = Reason("'id' is not among the keys of the first rows; pass --id none, or name it with --id")
_Role = Callable[[list[Any], Problems, Place], pa.Array]


class JsonBlocks:
    """Rows of a JSON file → raw blocks.

    Args:
        reading: how the file is read.
        keys: of its columns, by their names.
        known: all keys of its first rows, and ``id`` if it may be anywhere.
        file: its name, for notes and problems.
        rows_in_jq: where the rows are, for commands in problems; None if there can be none.
        names_in_jq: of the numbers of labels, for the same; empty if they are not known.
    """

    def __init__(
        self,
        reading: Reading,
        keys: dict[str, str],
        known: frozenset[str],
        *,
        file: str,
        rows_in_jq: str | None,
        names_in_jq: str = "",
    ) -> None:
        self._reading, self._keys, self._known, self._file = reading, keys, known, file
        self._rows_in_jq, self._names_in_jq = rows_in_jq, names_in_jq
        self._late: dict[str, None] = {}  # keys of the rows of a block, until they are noted
        self._is_noted = False

    def of_rows(self, rows: Iterator[JsonObject]) -> Iterator[RawBlock]:
        """Blocks of up to `BLOCK_ROWS` rows, fewer if they pass `BLOCK_BYTES`."""
        first_row = 1
        while held := _next_rows(rows):
            yield self._block(held, first_row)
            first_row += len(held)

    def of_lines(self, source: io.BufferedReader) -> Iterator[RawBlock]:
        """The same rows of a file of lines. Runs of plain lines are parsed by Arrow, into larger blocks."""
        texts = [self._keys[name] for name in self._reading.columns.texts if name in self._keys]
        plain = PlainLines(self._known.union(self._keys.values()), texts)
        lines, first_row = RunsOfLines(source, lines=rows_at_once(self._reading.columns)), 1
        rows = objects_of_lines(all_lines(lines), self._file)
        while (run := lines.run()) != b"":
            table = None if run is None else plain.table(run)
            if run is not None and table is not None:
                lines.take(len(run))
                block = self._plain_block(table, first_row)
            elif held := _next_rows(rows):
                plain.learn(held)
                block = self._block(held, first_row)
            else:
                return
            yield block
            first_row += block.rows

    def _plain_block(self, table: pa.Table, first_row: int) -> RawBlock:
        columns = self._reading.columns
        data: dict[str, pa.Array] = {}
        kinds: dict[str, Kind] = {}
        for name, key in self._keys.items():
            array = pa.concat_arrays(table.column(key).chunks)
            is_written = name in (*columns.texts, columns.id, columns.label)
            if array.null_count == len(array):
                array = pa.nulls(len(array), pa.string())
                kinds |= {} if is_written else {name: Kind(type=pa.null())}
            data[name] = array.cast(pa.large_string()) if is_written or pa.types.is_string(array.type) else array
        return RawBlock(
            reading=self._reading, first_row=first_row, data=data, problems=[None] * len(table), kinds=kinds
        )

    def _block(self, rows: list[JsonObject], first_row: int) -> RawBlock:
        problems: Problems = [self._problem(row) for row in rows]
        columns = self._reading.columns
        data: dict[str, pa.Array] = {}
        kinds: dict[str, Kind] = {}
        roles: dict[str | None, tuple[str, _Role]] = {
            **dict.fromkeys(columns.texts, ("text", texts)),
            columns.id: ("id", ids),
            columns.label: ("label", labels),
        }
        for name, key in self._keys.items():
            values = [row.values.get(key) for row in rows]
            if name in roles:
                what, role = roles[name]
                place = Place(what=what, key=key, rows=self._rows_in_jq, file=self._file, names=self._names_in_jq)
                data[name] = role(values, problems, place)
                continue
            data[name], kind = kept(values, problems)
            if kind is not None:
                kinds[name] = kind
        self._note_late_keys()
        return RawBlock(reading=self._reading, first_row=first_row, data=data, problems=problems, kinds=kinds)

    def _problem(self, row: JsonObject) -> str | None:
        values = row.values
        if not self._known.issuperset(values):
            self._late.update(dict.fromkeys(key for key in values if key not in self._known))
            if "id" not in self._known and values.get("id") is not None:
                return row.problem or _LATE_ID
        return row.problem

    def _note_late_keys(self) -> None:
        """Add to the reading, once, that there are keys which are not among the columns."""
        if self._late and not self._is_noted:
            names = ", ".join(repr(name[:_LONGEST]) for name in islice(self._late, _SHOWN))
            note = f"{self._file}: keys that none of the first {BLOCK_ROWS:,} rows has are left out, as {names}"
            self._reading = dataclasses.replace(self._reading, notes=(*self._reading.notes, note))
            self._is_noted = True
        self._late.clear()


def _next_rows(rows: Iterator[JsonObject]) -> list[JsonObject]:
    """The rows of the next block."""
    held: list[JsonObject] = []
    size = 0
    for row in rows:
        held.append(row)
        size += row.size
        if len(held) == BLOCK_ROWS or size >= BLOCK_BYTES:
            break
    return held
