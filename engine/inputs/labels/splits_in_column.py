"""Columns beside the labels that hold the split of each row → refused if rows of several splits are read as one."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.columns import Columns
from engine.inputs.messages import listed
from engine.inputs.shapes.dict_rows import rows_of_any

_SPLIT = re.compile(
    r"(train|test|eval)(ing|set|data)?|validation|validate|valid|val|dev|hold[-_ ]?out|held[-_ ]?out", re.IGNORECASE
)
_MOST = 8  # of the spellings of splits in one column


@dataclass(kw_only=True)
class SplitColumns:
    """The splits that columns name, as far as rows were taken in.

    Attributes:
        values: of columns that hold nothing else, by file and column.
        others: columns that hold something else.
        said: by files without a header, the names of their columns.
    """

    values: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    others: set[tuple[str, str]] = field(default_factory=set)
    said: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, file: str, columns: Columns, beside: Mapping[str, pa.Array]) -> None:
        """Take in the columns of some rows ``beside`` the labels, under the names by which they are kept."""
        self.said[file] = columns.said
        for given, (name, array) in zip(columns.given(beside), beside.items(), strict=True):
            place = (file, given)
            if name in columns.constants or place in self.others or not pa.types.is_string(array.type):
                continue
            if _are_splits(array[:1].to_pylist()) and _are_splits(found := pc.unique(array).to_pylist()):
                self.values.setdefault(place, {}).update(dict.fromkeys(found))
            else:
                self.others.add(place)
                self.values.pop(place, None)

    def check(self) -> None:
        """Refuse rows of several splits.

        Raises:
            InputError: they are, and one of them is for training.
        """
        for (file, column), values in self.values.items():
            train = next((value for value in values if value.strip().lower().startswith("train")), None)
            if train is None or len({value.strip().lower() for value in values}) < 2:
                continue
            key = f"row[{json.dumps(column)}]"
            kept = f"[print(json.dumps(row, default=str)) for row in {{rows}} if {key} == {json.dumps(train)}]"
            way = rows_of_any(kept, file, self.said[file])
            raise InputError(
                f"{file}: its column {column!r} holds the splits {listed(values)}: give the rows of one, as {train}"
                + (f", with: {way}" if way else "")
                + f". If all rows are wanted, leave out the column {column!r}"
            )


def _are_splits(values: list[str | None]) -> bool:
    return 0 < len(values) <= _MOST and all(value and _SPLIT.fullmatch(value.strip()) for value in values)
