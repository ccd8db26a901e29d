"""Columns of a window of rows → batches of arrays, in the order in which they are to come. Reads nothing.

The window is put in order once; a batch is a slice of it, without a copy if its type allows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.rows.list_bytes import from_bytes
from store.rows.row_set import RowNumbers

TOKEN_IDS = "input_ids"


class WindowRows:
    """The rows of one window, with their columns.

    Args:
        members: (rows,) their numbers.
        columns: of ``members``, by name; several arrays of a column that several label sets have. Lists as
            `store.rows.list_bytes` has them.
        types: of the columns in their files.
        order: (rows,) the permutation of them in which they come.
    """

    def __init__(
        self,
        members: RowNumbers,
        columns: Mapping[str, list[pa.Array]],
        types: Mapping[str, pa.DataType],
        order: npt.NDArray[np.int64],
    ) -> None:
        self._order = members[order]
        indices = pa.array(order)
        self._columns = {
            name: [array.cast(_held(types[name])).take(indices) for array in arrays] for name, arrays in columns.items()
        }
        ids = self._columns.pop(TOKEN_IDS, None)
        self._ids = None if ids is None else from_bytes(ids[0], types[TOKEN_IDS])
        self._arrays = {name: array for name in columns if (array := self._as_array(name)) is not None}

    def __len__(self) -> int:
        return len(self._order)

    def batch(self, start: int, stop: int) -> dict[str, Any]:
        """The rows from ``start`` to before ``stop``, counted in the order in which they come."""
        batch: dict[str, Any] = {"row": self._order[start:stop]}
        for name in self._columns:
            array = self._arrays.get(name)
            batch[name] = self._objects(name, start, stop) if array is None else array[start:stop]
        if self._ids is not None:
            ids, offsets = self._ids
            batch[TOKEN_IDS] = ids[offsets[start] : offsets[stop]]
            batch["offsets"] = offsets[start : stop + 1] - offsets[start]
        return batch

    def _as_array(self, name: str) -> Any:
        """All rows of a column of numbers; None if they become Python objects, which each batch makes for itself."""
        arrays = [_numbers(name, array) for array in self._columns.get(name, ())]
        if not arrays or any(array is None for array in arrays):
            return None
        return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)

    def _objects(self, name: str, start: int, stop: int) -> Any:
        parts = [array[start:stop].to_numpy(zero_copy_only=False) for array in self._columns[name]]
        return parts[0] if len(parts) == 1 else np.stack(parts, axis=1)


def _held(type_: pa.DataType) -> pa.DataType:
    """The type in which a column of ``type_`` is held here."""
    if pa.types.is_list(type_):
        return pa.large_binary()
    return pa.large_string() if pa.types.is_string(type_) else type_


def _numbers(name: str, array: pa.Array) -> Any:
    """``array`` as numpy has it; None if numpy has no such type."""
    if pa.types.is_fixed_size_list(array.type):
        return array.flatten().to_numpy().reshape(len(array), array.type.list_size)
    if name in ("label", "gold"):
        array = array.fill_null(-1)
    is_number = pa.types.is_primitive(array.type) or pa.types.is_boolean(array.type)
    return array.to_numpy(zero_copy_only=False) if is_number and not array.null_count else None
