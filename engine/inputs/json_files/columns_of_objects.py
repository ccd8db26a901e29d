"""JSON objects → the columns of a raw block, with what their values are: JSON says what is a number and what is text.

Text, ids and labels are bytes; what cannot be one is a problem of its row. Other numbers are written as in JSON, so
that nothing is lost should the whole column turn out to be of another kind.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from engine.inputs.blocks import Problems
from engine.inputs.json_files.nested_values import Place, label_of_array, no_string
from engine.inputs.json_files.objects import TOO_DEEP
from engine.inputs.kinds import Kind

_NUMBERS = {int, float}
_WRITTEN = {str, type(None)}


def texts(values: list[Any], problems: Problems, place: Place) -> pa.Array:
    """Texts; any other value is a problem."""
    return _single(values, problems, place, (dict, list, int, float))


def ids(values: list[Any], problems: Problems, place: Place) -> pa.Array:
    """Ids as they are written; an array or an object is a problem."""
    return _single(values, problems, place, (dict, list))


def labels(values: list[Any], problems: Problems, place: Place) -> pa.Array:
    """Labels as they are written. An array of one is that label; of several, or an object, it is a problem."""
    if not {type(value) for value in values} <= _WRITTEN:
        values = [_only_label(value, row, problems, place) for row, value in enumerate(values)]
    return _single(values, problems, place, (dict, list))


def _only_label(value: Any, row: int, problems: Problems, place: Place) -> Any:
    if isinstance(value, dict) and isinstance(value.get("choices"), list):  # JSON-MIN of Label Studio
        value = value["choices"]
    if isinstance(value, list) and not (len(value) == 1 and isinstance(value[0], dict)):
        value, fault = label_of_array(value, place)
        problems[row] = problems[row] or fault
    # A whole number that came as a float, because of nulls beside it, is an integer; NaN is a null.
    if isinstance(value, float):
        return int(value) if value.is_integer() else None if math.isnan(value) else value
    return value


def _single(values: list[Any], problems: Problems, place: Place, refused: tuple[type, ...]) -> pa.Array:
    if {type(value) for value in values} <= _WRITTEN:
        return _strings(values)
    for row, value in enumerate(values):
        if isinstance(value, refused):
            problems[row] = problems[row] or no_string(value, place)
    return _strings([None if isinstance(value, refused) else _written(value) for value in values])


def kept(values: list[Any], problems: Problems) -> tuple[pa.Array, Kind | None]:
    """A kept column: bool, int64 or text; and what its values are, if that is more than its array says.

    A value that is nested too deeply to be written is a problem of its row.
    """
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return pa.nulls(len(values), pa.string()), Kind(type=pa.null())
    if types == {str}:
        return _strings(values), None
    if types == {bool}:
        return pa.array(values, pa.bool_()), None
    if types == {int}:
        return _whole(values)
    written = _strings([_written_or_problem(value, row, problems) for row, value in enumerate(values)])
    return written, _fractions(values) if types <= _NUMBERS else None


def _fractions(values: list[Any]) -> Kind:
    """The kind of numbers some of which are no whole ones."""
    whole = [value for value in values if isinstance(value, int)]
    return Kind(type=pa.float64(), low=min([0, *whole]), high=max([0, *whole]))


def _whole(values: list[int | None]) -> tuple[pa.Array, Kind | None]:
    try:
        return pa.array(values, pa.int64()), None
    except OverflowError:
        known = [value for value in values if value is not None]
        return _strings([_written(value) for value in values]), Kind(
            type=pa.int64(), low=min([0, *known]), high=max([0, *known])
        )


def _written_or_problem(value: Any, row: int, problems: Problems) -> str | None:
    try:
        return _written(value)
    except RecursionError:  # what could just be read need not be writable: that takes other frames
        problems[row] = problems[row] or TOO_DEEP
        return None


def _written(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _strings(values: Sequence[str | None]) -> pa.Array:
    """Strings, or binaries if some have surrogates that are alone."""
    try:
        return pa.array(values, pa.large_string())
    except UnicodeEncodeError:
        encoded = (None if value is None else value.encode("utf-8", "surrogatepass") for value in values)
        return pa.array(encoded, pa.large_binary())
