"""The first bytes of a JSON file → where its rows are: a line each, in an array, or in an array inside of an object.

What cannot be rows is refused for what it is: a table by columns, as pandas writes it, or an array of arrays.
"""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import NO_COLUMN, ColumnNames, find_columns
from engine.inputs.json_files.json_text import JsonText, NotJsonError, elements, keys
from engine.inputs.json_files.label_studio import is_task
from engine.inputs.lines import LINE_BYTES, open_lines

_ROWS_KEYS = ("data", "rows", "examples", "records", "items")
_SAMPLE = 100
_WRITE = 'to_json("rows.jsonl", orient="records", lines=True)'


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the rows of a JSON file are.

    Attributes:
        is_lines: each line is a row.
        key: if not, that of the array of rows in the one object of the file; None if the file's values are rows, or
            arrays of rows.
    """

    is_lines: bool
    key: str | None = None


LINES = Layout(is_lines=True)
VALUES = Layout(is_lines=False)


def find_layout(file: str, wanted: ColumnNames, encoding: str | None = None) -> Layout:
    """The layout of ``file``.

    Args:
        file: where it is.
        wanted: column names that the user gave, to tell a row from an object that holds rows.
        encoding: of the file; found out where None.

    Raises:
        InputError: its values cannot be rows.
    """
    first, second, is_cut = _first_lines(file, encoding)
    if first.startswith(b"["):
        return _of_array(file, encoding, first, second)
    if not first.startswith(b"{") or not (second is None or _is_unfinished(first)):
        return LINES
    try:
        layout = _of_object(file, encoding, wanted)
    except NotJsonError:
        if is_cut or (second is not None and _is_object(second)):
            return LINES
        raise
    return LINES if is_cut and layout == VALUES else layout


def _first_lines(file: str, encoding: str | None) -> tuple[bytes, bytes | None, bool]:
    """The first line that is not blank, the next one, if any, both stripped; and whether the first is too long.

    Of a line that is too long, the first `LINE_BYTES` are given, and none after it.
    """
    first = b""
    with open_lines(file, encoding) as source:
        while line := source.readline(LINE_BYTES):
            if first and line.strip():
                return first, line.strip(), False
            first = first or line.strip()
            if len(line) == LINE_BYTES:
                return first, None, True
    return first, None, False


def _is_unfinished(line: bytes) -> bool:
    """Whether ``line`` is the beginning of an object that goes on, rather than a broken one."""
    try:
        text = line.decode()
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except (ValueError, RecursionError):
        pass
    return False


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _of_array(file: str, encoding: str | None, first: bytes, second: bytes | None) -> Layout:
    with open_lines(file, encoding) as source:
        text = JsonText(source, file)
        text.skip("[")
        begin = text.peek()
    if begin in ("{", "]", ""):
        return VALUES
    if second is not None and first != b"[":
        return LINES
    remedy = 'write one object a row, as df.to_json(path, orient="records", lines=True)'
    remedy = _jq(".[] | {text: .}", file) if begin == '"' else remedy
    what = {'"': "strings", "[": "arrays"}.get(begin, "single values")
    raise InputError(f"{file} is a JSON array of {what} and not of objects; {remedy}")


def _of_object(file: str, encoding: str | None, wanted: ColumnNames) -> Layout:
    """The layout of a file that is one object, or several that are longer than a line."""
    with open_lines(file, encoding) as source:
        text = JsonText(source, file)
        sample = dict[str, Any]()
        for key in keys(text):
            sample[key] = _sample_of(text)
            if key in _ROWS_KEYS and _is_rows(sample[key]) and not _is_row(sample, wanted):
                return Layout(is_lines=False, key=key)
        if text.peek() or _is_row(sample, wanted):
            return VALUES
    found = [key for key, value in sample.items() if _is_rows(value)]
    found = found or [key for key in _ROWS_KEYS if sample.get(key) == []]
    if len(found) == 1:
        return Layout(is_lines=False, key=found[0])
    _refuse_several(found, file)
    _refuse_columns(sample, wanted, file)
    _refuse_deeper(sample, file)
    return VALUES


def _refuse_several(found: list[str], file: str) -> None:
    """Refuse an object with several arrays that could be the rows.

    Raises:
        InputError: it has.
    """
    if found:
        raise InputError(
            f"{file} holds several arrays of objects, {_listed(found)}: take out the one that has the rows: "
            + _jq(f".[{json.dumps(found[0])}][]", file)
        )


def _refuse_deeper(sample: dict[str, Any], file: str) -> None:
    """Refuse an object whose rows are further down in it.

    Raises:
        InputError: they are.
    """
    for key, value in sample.items():
        for below, rows in value.items() if isinstance(value, dict) else ():
            if _is_rows(rows):
                way = _jq(f".[{json.dumps(key)}][{json.dumps(below)}][]", file)
                raise InputError(f"{file} holds an array of objects in {key!r}, {below!r}: take it out: {way}")


def _jq(program: str, file: str) -> str:
    """A command that makes JSON Lines of a part of ``file``."""
    return f"jq -c {shlex.quote(program)} {shlex.quote(file)} > rows.jsonl"


def _listed(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _sample_of(text: JsonText) -> Any:
    """The value that is next, with its first elements or members alone."""
    begin = text.peek()
    if begin == "[":
        return [element for number, element in enumerate(elements(text)) if number < _SAMPLE]
    if begin == "{":
        members = ((key, text.value()) for key in keys(text))
        return dict(member for number, member in enumerate(members) if number < _SAMPLE)
    return text.value()


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _is_row(sample: dict[str, Any], wanted: ColumnNames) -> bool:
    """Whether an object is a row itself: an annotated task, or it has a text."""
    if is_task(sample):
        return True
    return _has_text([key for key, value in sample.items() if isinstance(value, str)], wanted)


def _has_text(names: Iterable[str], wanted: ColumnNames) -> bool:
    """Whether a column of text is to be found among ``names``."""
    try:
        find_columns(list(names), ColumnNames(text=wanted.text, id=NO_COLUMN, label=NO_COLUMN), file="")
    except InputError:
        return False
    return True


def _refuse_columns(sample: dict[str, Any], wanted: ColumnNames, file: str) -> None:
    """Refuse an object that holds a table by columns.

    Raises:
        InputError: it does.
    """
    values = list(sample.values())
    read = f"pd.read_json({file!r})"
    if "columns" in sample and isinstance(sample.get("data"), list):
        how, read = 'as pandas writes it with orient="split"', f'pd.read_json({file!r}, orient="split")'
    elif values and all(isinstance(value, list) for value in values):
        how, read = "a list for each", f"pd.DataFrame(json.load(open({file!r})))"
    elif not values or not all(isinstance(value, dict) and value for value in values):
        return
    elif _has_text(values[0], wanted) and not _has_text(sample, wanted):
        how, read = 'as pandas writes it with orient="index"', f'pd.read_json({file!r}, orient="index")'
    elif _has_text(sample, wanted) or (all(key.isdecimal() for key in values[0]) and _are_alike(values)):
        how = 'as pandas writes it with orient="columns"'
    else:
        return
    raise InputError(
        f'{file} is a table by columns, {how}, and not by rows: write it with df.to_json(path, orient="records", '
        f"lines=True), or turn it with {read}.{_WRITE}"
    )


def way_to_text(row: dict[str, Any], layout: Layout, wanted: ColumnNames, file: str) -> str | None:
    """The command that makes rows of the objects in ``row`` that have a text, if it is in one of them."""
    begin = "." if layout.is_lines else ".[]" if layout.key is None else f".[{json.dumps(layout.key)}][]"
    for key, value in row.items():
        if isinstance(value, dict) and _has_text(value, wanted):
            return _jq(f"{begin}[{json.dumps(key)}]", file)
    return None


def _are_alike(objects: list[dict[str, Any]]) -> bool:
    return all(value.keys() == objects[0].keys() for value in objects)
