"""CSV, TSV, JSON Lines and plain text, also compressed → raw blocks, in bounded memory.

An empty line in CSV or JSON Lines is no row. A line or CSV row longer than `LINE_BYTES` is a row that is refused,
and so is what cannot be parsed. A byte order mark is not part of the text.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock, Row, blocks_of_rows
from engine.inputs.columns import MAX_COLUMNS, ColumnNames, Columns, find_columns

LINE_BYTES = 16 << 20
_BOM = b"\xef\xbb\xbf"
_JSON_ARRAY = re.compile(rb"\s*\[\s*\{")


def open_lines(file: str) -> io.BufferedReader:
    """The bytes of a file that may be compressed, without a byte order mark."""
    source = io.BufferedReader(pa.input_stream(file, compression="detect"), 1 << 20)
    if source.peek(len(_BOM)).startswith(_BOM):
        source.read(len(_BOM))
    return source


def _lines(file: str) -> Iterator[bytes | None]:
    """Lines with their ends; None for one that is too long."""
    with open_lines(file) as source:
        while line := source.readline(LINE_BYTES):
            yield None if _passed_over(line, b"\n", source) else line


def _passed_over(line: Any, end: Any, source: Any) -> bool:
    """Whether ``line`` is cut at `LINE_BYTES`; then the rest of it is read and forgotten."""
    if len(line) < LINE_BYTES or line.endswith(end):
        return False
    while (rest := source.readline(LINE_BYTES)) and not rest.endswith(end):
        pass
    return True


def read_text(file: str, _: ColumnNames) -> Iterator[RawBlock]:
    """The rows of a text file: one a line."""
    columns = Columns(text="text", id=None, label=None, extras=())
    yield from blocks_of_rows((_text_row(line) for line in _lines(file)), columns)


def _text_row(line: bytes | None) -> Row:
    if line is None:
        return {}, f"the line is longer than {LINE_BYTES:,} bytes"
    return {"text": line.removesuffix(b"\n").removesuffix(b"\r")}, None


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
        if _passed_over(line, ("\n", "\r"), self._source) or self._size > LINE_BYTES:
            raise csv.Error(f"the row is longer than {LINE_BYTES:,} characters")
        return line


def read_csv(file: str, wanted: ColumnNames) -> Iterator[RawBlock]:
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
        yield from blocks_of_rows(_csv_rows(reader, lines, header, columns), columns)


def _csv_rows(reader: Any, lines: _CsvLines, header: list[str], columns: Columns) -> Iterator[Row]:
    places = [(name, header.index(name)) for name in columns.names()]
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


def read_jsonl(file: str, wanted: ColumnNames) -> Iterator[RawBlock]:
    """The rows of a JSON Lines file. Its columns are the keys of the first `BLOCK_ROWS` objects."""
    if is_json_array(file):
        raise InputError(f"{file} is a JSON array; write one object a line (JSON Lines)")
    names = _json_names(file, wanted)
    columns = find_columns(names, wanted, file=file) if names else Columns(text="", id=None, label=None, extras=())
    yield from blocks_of_rows((json_row(values, problem, columns) for values, problem in _parsed(file)), columns)


def is_json_array(file: str) -> bool:
    """Whether ``file`` begins as an array of objects does."""
    with open_lines(file) as source:
        return _JSON_ARRAY.match(source.read(4096)) is not None


def _json_names(file: str, wanted: ColumnNames) -> list[str]:
    """Keys of the first objects. Reads on only for a key that the user named."""
    needed = {name for name in (wanted.text, wanted.id, wanted.label) if name is not None}
    names: dict[str, None] = {}
    objects = 0
    for values, problem in _parsed(file):
        objects += problem is None
        names.update(dict.fromkeys(values if objects <= BLOCK_ROWS else needed & values.keys()))
        if (objects >= BLOCK_ROWS and needed <= names.keys()) or len(names) > MAX_COLUMNS:
            break
    return list(names)


def _parsed(file: str) -> Iterator[tuple[dict[str, Any], str | None]]:
    for line in _lines(file):
        if line is None:
            yield {}, f"the line is longer than {LINE_BYTES:,} bytes"
        elif line.strip():
            yield _parse_json(line)


def _parse_json(line: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return {}, f"the line has invalid UTF-8 at byte {error.start:,}"
    except RecursionError:
        return {}, "the line is nested too deeply"
    except ValueError as error:
        return {}, f"the line is not JSON: {error}"
    if not isinstance(value, dict):
        return {}, f"the line is {_kind(value)} and not a JSON object"
    return value, None


def json_row(values: dict[str, Any], problem: str | None, columns: Columns) -> Row:
    """The row that a JSON object is, with what was wrong with it before."""
    try:
        encoded = {name: _encode(values.get(name)) for name in columns.extras}
    except RecursionError:  # what could just be read need not be writable: that takes other frames
        return {}, "the line is nested too deeply"
    for what, name in (("text", columns.text), ("id", columns.id), ("label", columns.label)):
        value = values.get(what if name is None else name)
        if name is None:
            if value is not None:
                problem = problem or f"{what!r} is not among the keys of the first rows; name it with --{what}"
        elif isinstance(value, dict | list) or (what == "text" and value is not None and not isinstance(value, str)):
            problem = problem or f"{what} is {_kind(value)} and not a string"
        else:
            encoded[name] = _encode(_whole(value) if what == "label" else value)
    return encoded, problem


def _whole(label: Any) -> Any:
    """A whole number that came as a float, because of nulls beside it, as an integer; NaN as None."""
    if not isinstance(label, float):
        return label
    return int(label) if label.is_integer() else None if math.isnan(label) else label


def _encode(value: Any) -> bytes | None:
    if value is None:
        return None
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain.encode("utf-8", "surrogatepass")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "null")
