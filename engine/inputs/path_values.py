"""What the folders of a file's path say, as Hive writes them → columns of its rows, or a check of those that it has."""

import dataclasses
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.arrow_files.values import plain
from engine.inputs.blocks import RawBlock
from engine.inputs.kinds import Kind
from engine.inputs.labels.spelling import spell

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_COMPARED = (str, bytes, bool, int, float)


def with_constants(block: RawBlock) -> RawBlock:
    """The block with the columns that are the same in each row. What looks like a whole number may be one."""
    constants = block.columns.constants
    data = {name: pa.array([value] * block.rows, pa.string()) for name, value in constants.items()}
    kinds = {
        name: Kind(type=pa.int64(), low=min(0, int(value)), high=max(0, int(value)))
        for name, value in constants.items()
        if value is not None and _WHOLE.fullmatch(value)
    }
    return dataclasses.replace(block, data=block.data | data, kinds=block.kinds | kinds)


def with_path(block: RawBlock, file: str) -> RawBlock:
    """The block, if its columns say the same as its path, as ``label`` in ``label=1/part.csv``; or nothing.

    Some programs write such a column into the file too, and some leave it empty there.

    Raises:
        InputError: one says something else.
    """
    filled: dict[str, pa.Array] = {}
    for name, said in block.columns.repeated_in_path.items():
        if pa.types.is_nested(block.data[name].type):
            continue
        column = plain(block.data[name])
        if said is not None and column.null_count:
            filled[name] = column = _filled(column, said)
        for value in pc.unique(column).to_pylist():
            if isinstance(value, _COMPARED) and _spelled(value) != _spelled(said):
                row = block.first_row + pc.index(column, pa.scalar(value, column.type)).as_py()
                raise InputError(
                    f"{file} row {row:,}: the column {name!r} is {_spelled(value)[:100]!r}, and the file's path says "
                    f"{said!r}; rename the folder, or the column"
                )
    return dataclasses.replace(block, data=block.data | filled) if filled else block


def _filled(column: pa.Array, value: str) -> pa.Array:
    """``column`` with ``value`` in the place of nulls, if it can be of its type."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    try:
        return pc.fill_null(column, pa.scalar(value).cast(column.type))
    except pa.ArrowException:
        return column


def _spelled(value: Any) -> str:
    written = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "" if value is None else spell(written)
