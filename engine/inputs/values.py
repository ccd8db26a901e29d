"""Columns of any Arrow type → the bytes of a text, an id or a label, or a column that is kept beside them."""

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError


def can_be_kept(type_: pa.DataType) -> bool:
    """Whether a column of this type can be kept: it is plain, or can at least be written as text."""
    try:
        _decoded(pa.array([], type_)).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True


def text_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """A column of strings or binaries as large_binary.

    Raises:
        InputError: it is of another type.
    """
    array = _decoded(array)
    if not _is_string(array.type) and not pa.types.is_null(array.type):
        raise InputError(f"{file}: the column {name!r} is {array.type} and not text; name another with --text")
    return array.cast(pa.large_binary())


def scalar_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """Any column of single values, as large_binary of how they are written.

    Raises:
        InputError: the values cannot be written as text.
    """
    array = _decoded(array)
    try:
        return (array if _is_string(array.type) else array.cast(pa.string())).cast(pa.large_binary())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise InputError(f"{file}: the column {name!r} is {array.type} and cannot be read as text: {error}") from None


def label_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """Labels as written. Whole numbers that came as floats, because of nulls or NaN among them, are integers."""
    array = _decoded(array)
    if pa.types.is_floating(array.type):
        array = array.cast(pa.float64())
        array = pc.if_else(pc.is_nan(array), None, array)
    return scalar_bytes(array, name=name, file=file)


def kept_bytes(array: pa.Array, *, name: str, file: str) -> pa.Array:
    """A column as it is kept: bool, int64 or double; any other as large_binary of how its values are written."""
    array = _decoded(array)
    if pa.types.is_boolean(array.type):
        return array
    if pa.types.is_signed_integer(array.type) or (pa.types.is_integer(array.type) and array.type.bit_width < 64):
        return array.cast(pa.int64())
    if pa.types.is_floating(array.type):
        return array.cast(pa.float64())
    return scalar_bytes(array, name=name, file=file)


def _decoded(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.binary(), safe=False) if pa.types.is_fixed_size_binary(array.type) else array


def _is_string(type_: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(check(type_) for check in checks) or str(type_) in ("string_view", "binary_view")
