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


def check_path(block: RawBlock, file: str) -> None:
    """Refuse a file one of whose columns says something else than its path, as ``label`` in ``label=1/part.csv``.

    Some programs write such a column into the file too, and some do not.

    Raises:
        InputError: one does.
    """
    for name, said in block.columns.repeated_in_path.items():
        if pa.types.is_nested(block.data[name].type):
            continue
        column = plain(block.data[name])
        for value in pc.unique(column).to_pylist():
            if isinstance(value, _COMPARED) and _spelled(value) != _spelled(said):
                row = block.first_row + pc.index(column, pa.scalar(value, column.type)).as_py()
                raise InputError(
                    f"{file} row {row:,}: the column {name!r} is {_spelled(value)[:100]!r}, and the file's path says "
                    f"{said!r}; rename the folder, or the column"
                )


def _spelled(value: Any) -> str:
    written = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "" if value is None else spell(written)
