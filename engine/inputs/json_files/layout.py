"""The first bytes of a JSON file → where its rows are: a line each, in an array, or in an array inside of an object.

What cannot be rows is refused for what it is: a table by columns, as pandas writes it, or an array of arrays.
"""

import json
from dataclasses import dataclass
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.json_files.deeper_rows import has_text, is_rows, may_be_row
from engine.inputs.json_files.jq_commands import jq, members
from engine.inputs.json_files.json_text import JsonText, NotJsonError, elements, keys
from engine.inputs.json_files.known_layouts import refuse_known, refuse_known_array, refuse_programs, refuse_tuples
from engine.inputs.json_files.known_rows.wrapped_text import refuse_wrapped_text
from engine.inputs.json_files.label_studio import is_task
from engine.inputs.json_files.refusals import (
    refuse_columns,
    refuse_deeper,
    refuse_entries,
    refuse_several,
    refuse_single_values,
)
from engine.inputs.labels.names.numbered import numbers_in_object
from engine.inputs.lines import LINE_BYTES, open_lines

_ROWS_KEYS = ("data", "rows", "examples", "records", "items")
_SAMPLE = 100


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the rows of a JSON file are.

    Attributes:
        is_lines: each line is a row.
        key: if not, that of the array of rows in the one object of the file; None if the file's values are rows, or
            arrays of rows.
        begins_with_object: of a file of values, whether the first one is an object and not an array.
        numbered: by the keys beside the array of rows, the names that they give to numbers.
    """

    is_lines: bool
    key: str | None = None
    begins_with_object: bool = False
    numbered: tuple[tuple[str, dict[str, str]], ...] = ()

    @property
    def rows_in_jq(self) -> str:
        """Where the rows are, as jq says it."""
        if self.key is not None:
            return f"{members(self.key)}[]"
        return "." if self.is_lines or self.begins_with_object else ".[]"


LINES = Layout(is_lines=True)
ARRAYS = Layout(is_lines=False)
OBJECTS = Layout(is_lines=False, begins_with_object=True)
_RECORD = b"\x1e"  # before each value of a JSON text sequence (RFC 7464)


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
    refuse_programs(first, second, file)
    refuse_wrapped_text(first, second, file)
    if second is not None:
        refuse_single_values(first, second, file)
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
    return LINES if is_cut and layout == OBJECTS else layout


def _first_lines(file: str, encoding: str | None) -> tuple[bytes, bytes | None, bool]:
    """The first line that is not blank, the next one, if any, both stripped; and whether the first is too long.

    Of a line that is too long, the first `LINE_BYTES` are given, and none after it.
    """
    first = b""
    with open_lines(file, encoding) as source:
        while line := source.readline(LINE_BYTES):
            if first and line.strip():
                return first, line.strip(), False
            first = first or line.strip().removeprefix(_RECORD)
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
        if begin == "{":
            refuse_known_array(text.value(), file)
        if begin in ("{", "]", ""):
            return ARRAYS
        if second is not None and first != b"[":
            return LINES
        if begin == "[":
            refuse_tuples(text.value(), file)
    what, remedy = "single values", 'write one object a row, as df.to_json(path, orient="records", lines=True)'
    if begin == '"':
        what, remedy = "strings", jq(".[] | {text: .}", file)
    raise InputError(f"{file} is a JSON array of {what} and not of objects; {remedy}")


def _of_object(file: str, encoding: str | None, wanted: ColumnNames) -> Layout:
    """The layout of a file that is one object, or several that are longer than a line."""
    with open_lines(file, encoding) as source:
        text = JsonText(source, file)
        sample, of_rows = dict[str, Any](), None
        for key in keys(text):
            sample[key] = _sample_of(text)
            if key in _ROWS_KEYS and _may_be_rows(sample[key], wanted) and not _is_row(sample, wanted):
                of_rows = of_rows or key
        if of_rows is not None:
            return _with_key(of_rows, sample)
        refuse_known(sample, file)
        array = _key_of_rows(sample, wanted)
        if _is_row(sample, wanted) or (text.peek() and array not in _ROWS_KEYS):
            return OBJECTS
    if array is not None:
        return _with_key(array, sample)
    refuse_several([key for key, value in sample.items() if is_rows(value)], file)
    refuse_columns(sample, wanted, file)
    refuse_deeper(sample, wanted, file)
    refuse_entries(sample, wanted, file)
    return OBJECTS


def _with_key(key: str, sample: dict[str, Any]) -> Layout:
    beside = {other: value for other, value in sample.items() if other != key}
    return Layout(is_lines=False, key=key, numbered=numbers_in_object(beside))


def _may_be_rows(value: Any, wanted: ColumnNames) -> bool:
    return is_rows(value) and may_be_row(value[0], wanted)


def _key_of_rows(sample: dict[str, Any], wanted: ColumnNames) -> str | None:
    """The key of the one array that has the rows: of several, the one with a text, or one of a name that says so."""
    arrays = [key for key, value in sample.items() if is_rows(value)]
    with_rows = [key for key in arrays if _may_be_rows(sample[key], wanted)]
    known = [key for key in _ROWS_KEYS if key in arrays]
    empty = [key for key in _ROWS_KEYS if sample.get(key) == []]
    for found in (with_rows, known[:1], arrays or empty):
        if len(found) == 1:
            return found[0]
    return None


def _sample_of(text: JsonText) -> Any:
    """The value that is next, with its first elements or members alone."""
    begin = text.peek()
    if begin == "[":
        return [element for number, element in enumerate(elements(text)) if number < _SAMPLE]
    if begin == "{":
        members = ((key, text.value()) for key in keys(text))
        return dict(member for number, member in enumerate(members) if number < _SAMPLE)
    return text.value()


def _is_row(sample: dict[str, Any], wanted: ColumnNames) -> bool:
    """Whether an object is a row itself: an annotated task, or it has a text."""
    if is_task(sample):
        return True
    return has_text([key for key, value in sample.items() if isinstance(value, str)], wanted)
