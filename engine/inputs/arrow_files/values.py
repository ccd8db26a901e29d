"""Columns of any Arrow type → the bytes of a text, an id or a label, or a column that is kept beside them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.arrow_files.nested import as_json, json_type
from engine.inputs.arrow_files.ways import rewritten, single_text

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_LARGE = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
_UUID_BYTES = 16


def can_be_kept(type_: pa.DataType) -> bool:
    """Whether a column of this type can be kept: its values can at least be written as text."""
    type_ = value_type(type_)
    if pa.types.is_fixed_size_binary(type_):  # hashes and numbers, which may look like text now and then
        return False
    if pa.types.is_nested(type_):
        return json_type(type_) is not None
    try:
        pa.array([], type_).cast(pa.string())
    except pa.ArrowException:
        return False
    return True


def text_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """A column of strings or binaries as large_binary.

    Raises:
        InputError: it is of another type.
    """
    with _named_errors(name, file):
        array = plain(array)
        if not _is_string(array.type) and not pa.types.is_null(array.type):
            raise InputError(
                f"{file}: the column {name!r} is {array.type} and not text; {_way_to_text(array, name, file)}"
            )
        return array.cast(pa.large_binary())


def decoded(array: pa.Array, *, name: str, file: str) -> list[str | None]:
    """The same as strings; bytes that are no UTF-8 are replaced."""
    values = text_bytes(array, name=name, file=file).to_pylist()
    return [None if value is None else value.decode("utf-8", "replace") for value in values]


def _way_to_text(array: pa.Array, name: str, file: str) -> str:
    expression = single_text(array.type)
    if expression is None:
        return "name another with --text"
    return f"name another with --text, or take it out: {rewritten(file, name, expression)}"


def scalar_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """Any column of single values, as large_binary of how they are written.

    Raises:
        InputError: the values cannot be written as text.
    """
    with _named_errors(name, file):
        return _written(plain(array), name=name, file=file)


def label_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """Labels as written. Whole numbers that came as floats, because of nulls or NaN among them, are integers."""
    with _named_errors(name, file):
        array = plain(array)
        if pa.types.is_floating(array.type):
            array = array.cast(pa.float64())
            array = pc.if_else(pc.is_nan(array), None, array)
        return _written(array, name=name, file=file)


def kept_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """A column as it is kept: bool, int64, uint64 or double; any other as large_binary of how its values are written.

    Lists, structs and maps are written as JSON, durations in seconds.
    """
    with _named_errors(name, file):
        array = plain(array)
        type_ = array.type
        if pa.types.is_boolean(type_) or pa.types.is_uint64(type_):
            return array
        if pa.types.is_integer(type_):
            return array.cast(pa.int64())
        if pa.types.is_floating(type_):
            return array.cast(pa.float64())
        if pa.types.is_duration(type_):
            return pc.divide(array.cast(pa.int64()).cast(pa.float64(), safe=False), _PER_SECOND[type_.unit])
        return as_json(array) if pa.types.is_nested(type_) else _written(array, name=name, file=file)


@contextmanager
def _named_errors(name: str, file: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{file}: the column {name!r} cannot be read: {error}") from error


def _written(array: pa.Array, *, name: str, file: str) -> pa.Array:
    if pa.types.is_fixed_size_binary(array.type):
        way = "for example by hex() in DuckDB"
        if array.type.byte_width == _UUID_BYTES:
            way = "as with str(uuid.UUID(bytes=value)) in Python, or with hex() in DuckDB if it is no UUID"
        raise InputError(f"{file}: the column {name!r} is {array.type}, which is no text; write it as text, {way}")
    try:
        return (array if _is_string(array.type) else array.cast(pa.string())).cast(pa.large_binary())
    except pa.ArrowException as error:
        raise InputError(f"{file}: the column {name!r} is {array.type} and cannot be read as text: {error}") from None


def value_type(type_: pa.DataType) -> pa.DataType:
    """The type of `plain` arrays of ``type_``."""
    if isinstance(type_, pa.UuidType):
        return pa.string()
    if isinstance(type_, pa.Bool8Type):
        return pa.bool_()
    if isinstance(type_, pa.BaseExtensionType):
        return value_type(type_.storage_type)
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return value_type(type_.value_type)
    if pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
        return pa.large_list(type_.value_type)
    return _LARGE.get(type_, type_)


def plain(array: pa.Array) -> pa.Array:
    """The values of ``array`` without what they are wrapped in; extension types by what they mean."""
    type_ = array.type
    if isinstance(type_, pa.UuidType):
        ids = (None if value is None else str(uuid.UUID(bytes=value)) for value in array.storage.to_pylist())
        return pa.array(ids, pa.string())
    if isinstance(type_, pa.Bool8Type):
        return array.storage.cast(pa.bool_())
    if isinstance(type_, pa.BaseExtensionType):
        return plain(array.storage)
    if pa.types.is_dictionary(type_):
        return plain(array.dictionary).take(array.indices)
    if pa.types.is_run_end_encoded(type_):
        runs = pa.RunEndEncodedArray.from_arrays(array.run_ends, plain(array.values))
        return pc.run_end_decode(runs.slice(array.offset, len(array)))
    if pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
        return _list_of_views(array)
    return array.cast(_LARGE[type_]) if type_ in _LARGE else array


def _list_of_views(array: pa.Array) -> pa.Array:
    """Views of lists as lists. Arrow's own cast of those with nulls gives arrays that are not valid."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, pc.list_flatten(array), mask=array.is_null())


def _is_string(type_: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(check(type_) for check in checks)
