"""Lists, structs and maps → JSON text. Vectors and bytes inside of them are not written: they are no text."""

import json
from typing import Any

import pyarrow as pa

_BYTES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
    pa.types.is_union,
    pa.types.is_interval,
)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def json_type(type_: pa.DataType) -> pa.DataType | None:
    """The type to which ``type_`` is cast before its values are written as JSON; None if they cannot be.

    Lists of floating-point numbers (embeddings) and bytes (pictures) cannot. Dates, times and decimals are strings.
    """
    if pa.types.is_struct(type_):
        return _struct_type(type_)
    if pa.types.is_map(type_):
        keys = pa.types.is_string(type_.key_type) or pa.types.is_integer(type_.key_type)
        return type_ if keys and json_type(type_.item_type) == type_.item_type else None
    if any(is_list(type_) for is_list in _LISTS):
        return _list_type(type_)
    if any(is_bytes(type_) for is_bytes in _BYTES) or pa.types.is_nested(type_):
        return None
    return pa.string() if pa.types.is_temporal(type_) or pa.types.is_decimal(type_) else type_


def _struct_type(type_: pa.StructType) -> pa.DataType | None:
    types = [json_type(field.type) for field in type_]
    names = [field.name for field in type_]
    if None in types or len(set(names)) < len(names):
        return None
    return pa.struct(list(zip(names, types, strict=True)))


def _list_type(type_: Any) -> pa.DataType | None:
    values = None if pa.types.is_floating(type_.value_type) else json_type(type_.value_type)
    if values is None or values == type_.value_type:
        return None if values is None else type_
    return pa.large_list(values)


def as_json(array: pa.Array) -> pa.Array:
    """Values of a type that `json_type` knows, as large_binary of their JSON."""
    type_ = json_type(array.type)
    values = (array if type_ == array.type else array.cast(type_)).to_pylist(maps_as_pydicts="strict")
    return pa.array([None if value is None else _dumps(value).encode() for value in values], pa.large_binary())


def _dumps(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:  # NaN and infinities, which JSON does not have
        plain = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
        return json.dumps(plain, ensure_ascii=False)
