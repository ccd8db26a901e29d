"""JSON Lines → raw blocks, in bounded memory. An empty line is no row; what cannot be parsed is refused."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock, Row, blocks_of_rows
from engine.inputs.columns import MAX_COLUMNS, ColumnNames, Columns, find_columns
from engine.inputs.lines import LINE_BYTES, lines_of, open_lines
from engine.inputs.options import Reading, ReadOptions

_JSON_ARRAY = re.compile(rb"\s*\[\s*\{")


def read_jsonl(file: str, wanted: ColumnNames, _: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a JSON Lines file. Its columns are the keys of the first `BLOCK_ROWS` objects."""
    if is_json_array(file):
        raise InputError(f"{file} is a JSON array; write one object a line (JSON Lines)")
    names = _json_names(file, wanted)
    columns = find_columns(names, wanted, file=file) if names else Columns(text="", id=None, label=None, extras=())
    keys = {name: names[columns.places[name]] for name in columns.names()}
    objects = (({name: values.get(key) for name, key in keys.items()}, problem) for values, problem in _parsed(file))
    yield from blocks_of_rows((json_row(*one, columns) for one in objects), Reading(columns=columns))


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
    for line in lines_of(file):
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
    """The row of a JSON object, with the problem that it had before."""
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
