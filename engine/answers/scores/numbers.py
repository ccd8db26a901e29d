"""A kept column of any type → numbers. A row with something else has a problem."""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.blocks import Problems
from engine.inputs.labels.spelling import NO_LABEL

_NOTHING = pa.array([word for word in NO_LABEL if word != "-1"])
_LONGEST = 50  # characters
_COMMA = re.compile(r"[+-]?\d*,\d+")


def numbers_of(array: pa.Array, problems: Problems, what: str) -> npt.NDArray[np.float64]:
    """(rows,) the numbers of ``array``; not a number where it has none.

    Args:
        array: bools, numbers or strings.
        problems: gets a reason for each row whose value is no number, or not finite.
        what: the values are, for the reasons.
    """
    numbers = _parsed(array, problems, what) if pa.types.is_string(array.type) else array
    values = np.array(numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    for row in np.flatnonzero(np.isinf(values)).tolist():
        problems[row] = problems[row] or f"{what} is not finite"
        values[row] = np.nan
    return values


def _parsed(strings: pa.Array, problems: Problems, what: str) -> pa.Array:
    strings = pc.utf8_trim_whitespace(strings)
    strings = pc.if_else(pc.is_in(pc.utf8_lower(strings), _NOTHING), None, strings)
    try:
        return strings.cast(pa.float64())
    except pa.ArrowInvalid:
        values = strings.to_pylist()
    numbers = [None if value is None else _number(value) for value in values]
    for row, (value, number) in enumerate(zip(values, numbers, strict=True)):
        if value is not None and number is None:
            way = "; write it with a point" if _COMMA.fullmatch(value) else ""
            problems[row] = problems[row] or f"{what} is no number: {value[:_LONGEST]!r}{way}"
    return pa.array(numbers, pa.float64())


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
