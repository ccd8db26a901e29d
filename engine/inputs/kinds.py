"""What the values of a kept column are: numbers, true and false, or text. Found out block by block, and put together.

The rule: whole numbers are int64; uint64 if some are too large for that and none is below 0; double if they fit
neither, or stand beside fractions. What is of several kinds is text, as it was written.
"""

import functools
import operator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

_NUMBERS = (pa.int64(), pa.float64())
_EXACT = 2**53  # up to which a double holds all whole numbers


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the values of a column are, as far as they are known.

    Attributes:
        type: bool, int64 (any whole numbers), double or string; null as long as all values are.
        declared: the same of the column itself, where its file says it; it counts if no value is known.
        low: the smallest of the whole numbers and 0.
        high: the largest of them and 0.
        has_long: whether a value has more digits than a double keeps.
    """

    type: pa.DataType
    declared: pa.DataType = field(default_factory=pa.null)
    low: int = 0
    high: int = 0
    has_long: bool = False

    def __or__(self, other: "Kind") -> "Kind":
        """What the values of both are."""
        return Kind(
            type=_wider(self.type, other.type),
            declared=_wider(self.declared, other.declared),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            has_long=self.has_long or other.has_long,
        )

    @property
    def stored(self) -> pa.DataType:
        """The type under which a store keeps the column."""
        type_ = self.declared if pa.types.is_null(self.type) else self.type
        if pa.types.is_null(type_):
            return pa.string()
        if type_ != pa.int64() or (self.low >= -(2**63) and self.high < 2**63):
            return type_
        return pa.uint64() if self.low >= 0 and self.high < 2**64 else pa.float64()

    @property
    def is_rounded(self) -> bool:
        """Whether a store does not keep all digits of the column."""
        return self.stored == pa.float64() and (self.has_long or max(-self.low, self.high) > _EXACT)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    return pa.float64() if one in _NUMBERS and other in _NUMBERS else pa.string()


def kind_of(values: pa.Array) -> Kind:
    """What the values of an array of strings, bools, whole numbers or doubles are."""
    type_ = pa.int64() if pa.types.is_integer(values.type) else values.type
    if values.null_count == len(values):  # a column of text that has none may be of anything
        return Kind(type=pa.null(), declared=pa.null() if pa.types.is_string(type_) else type_)
    if type_ != pa.int64():
        return Kind(type=type_, declared=type_)
    return whole_numbers(values, declared=type_)


def whole_numbers(values: pa.Array, *, declared: pa.DataType) -> Kind:
    """The kind of an array of whole numbers, of integers or decimals, some of which are not null."""
    bounds = pc.min_max(values).as_py()
    return Kind(type=pa.int64(), declared=declared, low=min(0, int(bounds["min"])), high=max(0, int(bounds["max"])))


def as_stored(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """``values`` of a kept column, of any kind, as the type that was found for the whole column.

    Raises:
        pyarrow.ArrowInvalid: a value is of another kind than those for which the type was found.
    """
    # A whole number that a double cannot hold exactly is rounded, which is no fault here.
    return values if values.type == type_ else values.cast(type_, safe=not pa.types.is_floating(type_))


def merge_extras(files: list[dict[str, Kind]]) -> dict[str, Kind]:
    """Columns that every file has, by a name that is one for SQL, too, and what their values are in all files."""
    merged: dict[str, Kind] = {}
    taken: set[str] = set()
    for name in files[0] if files else {}:
        if name.lower() in taken or not all(name in file for file in files):
            continue
        taken.add(name.lower())
        merged[name] = functools.reduce(operator.or_, (file[name] for file in files))
    return merged
