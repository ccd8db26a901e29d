"""Delimited files (CSV, TSV) → raw blocks, in bounded memory.

An empty line is no row. A row longer than `LINE_BYTES` is refused, and so is what cannot be parsed.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from engine.errors import InputError
from engine.inputs.blocks import RawBlock, Row, blocks_of_rows
from engine.inputs.columns import ColumnNames, Columns, find_columns
from engine.inputs.lines import LINE_BYTES, open_lines, passed_over
from engine.inputs.options import Reading, ReadOptions


class _CsvLines:
    """Lines for `csv.reader`. A row that grows past `LINE_BYTES` characters, such as one with an unclosed quote, fails.

    Attributes:
        number: of the line that was read last, from 1.
    """

    def __init__(self, source: io.TextIOWrapper) -> None:
        self.number = 0
        self._source = source
        self._size = 0

    def begin_row(self) -> None:
        self._size = 0

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        line = self._source.readline(LINE_BYTES)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        if passed_over(line, ("\n", "\r"), self._source) or self._size > LINE_BYTES:
            raise csv.Error(f"the row is longer than {LINE_BYTES:,} characters")
        return line


def read_csv(file: str, wanted: ColumnNames, _: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a CSV file with a header. The delimiter is a tab where the name ends in ``.tsv``, else a comma."""
    csv.field_size_limit(LINE_BYTES)
    delimiter = "\t" if re.search(r"\.tsv(\.gz|\.zst)?$", file, re.IGNORECASE) else ","
    with io.TextIOWrapper(open_lines(file), encoding="utf-8", errors="surrogateescape", newline="") as source:
        lines = _CsvLines(source)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = next(fields for fields in reader if fields)
        except (StopIteration, csv.Error) as error:
            raise InputError(f"{file}: the first line is no CSV header: {error or 'the file is empty'}") from None
        columns = find_columns(header, wanted, file=file)
        yield from blocks_of_rows(_csv_rows(reader, lines, header, columns), Reading(columns=columns))


def _csv_rows(reader: Any, lines: _CsvLines, header: list[str], columns: Columns) -> Iterator[Row]:
    places = [(name, columns.places[name]) for name in columns.names()]
    while True:
        before = lines.number
        lines.begin_row()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield {}, f"malformed CSV on the lines {before + 1:,} to {lines.number:,}: {error}"
            continue
        if len(fields) == len(header):
            values = {name: fields[place].encode("utf-8", "surrogateescape") for name, place in places}
            yield {name: value if value or name == columns.text else None for name, value in values.items()}, None
        elif fields:
            yield {}, f"the row has {len(fields)} fields and the header {len(header)}"
