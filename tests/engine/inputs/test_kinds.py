"""What the values of a column are, put together over blocks and files in any order."""

import functools
import operator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.inputs.kinds import Kind, as_stored, kind_of

NULLS = kind_of(pa.nulls(2, pa.string()))
WHOLE, FRACTIONS = kind_of(pa.array([1, 2])), kind_of(pa.array([1.5, 2.0]))
TRUTHS, TEXT = kind_of(pa.array([True, None])), kind_of(pa.array(["1", "x"]))
LARGE, NEGATIVE = kind_of(pa.array([2**64 - 1], pa.uint64())), kind_of(pa.array([-5]))
HUGE = Kind(type=pa.int64(), high=2**64)


@pytest.mark.parametrize(
    ("kinds", "stored"),
    [
        ([WHOLE, NULLS], "int64"),
        ([WHOLE, FRACTIONS, NULLS], "double"),
        ([WHOLE, TEXT], "string"),
        ([WHOLE, TRUTHS], "string"),
        ([TRUTHS, NULLS], "bool"),
        ([NULLS, NULLS], "string"),
        ([WHOLE, LARGE], "uint64"),
        ([NEGATIVE, LARGE], "double"),
        ([WHOLE, HUGE], "double"),
        ([LARGE, TEXT], "string"),
        ([kind_of(pa.nulls(2, pa.int64())), NULLS], "int64"),
        ([kind_of(pa.nulls(2, pa.float64())), WHOLE], "int64"),
        ([kind_of(pa.nulls(2, pa.float64())), TRUTHS], "bool"),
        ([kind_of(pa.nulls(2, pa.float64())), kind_of(pa.nulls(2, pa.int64()))], "double"),
    ],
)
def test_kinds_are_merged_to_the_narrowest_that_holds_them(kinds: list[Kind], stored: str) -> None:
    for given_kinds in (kinds, kinds[::-1], kinds + kinds):
        assert str(functools.reduce(operator.or_, given_kinds).stored) == stored


def test_what_is_rounded_is_known() -> None:
    exact, longer = Kind(type=pa.int64(), high=2**53), Kind(type=pa.int64(), high=2**53 + 1)
    assert [kind.is_rounded for kind in (WHOLE, LARGE, HUGE, longer)] == [False, False, True, False]
    assert [(kind | FRACTIONS).is_rounded for kind in (exact, longer)] == [False, True]
    assert (FRACTIONS | Kind(type=pa.float64(), has_long=True)).is_rounded
    assert not (TEXT | Kind(type=pa.float64(), has_long=True)).is_rounded


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers_come_back_from_text_and_from_integers(values: list[int | None]) -> None:
    written = pa.array([None if value is None else str(value) for value in values], pa.string())
    numbers = pa.array(values, pa.int64())
    assert as_stored(written, pa.int64()).to_pylist() == values
    assert as_stored(numbers, pa.string()).to_pylist() == written.to_pylist()
    as_doubles = [None if value is None else float(value) for value in values]
    assert as_stored(written, pa.float64()).to_pylist() == as_doubles
    assert as_stored(numbers, pa.float64()).to_pylist() == as_doubles


@given(st.lists(st.floats(allow_nan=False) | st.integers(), min_size=1))
def test_numbers_written_as_json_come_back(values: list[float]) -> None:
    written = pa.array([repr(value).replace("inf", "Infinity") for value in values], pa.string())
    read = as_stored(written, pa.float64()).to_pylist()
    assert read == [float(value) if abs(value) < 1e308 else read[at] for at, value in enumerate(values)]
