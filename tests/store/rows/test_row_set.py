"""Sets of row numbers as bits, against Python's sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.rows.row_set import RowSet

SIZES = [0, 1, 63, 64, 65, 127, 128, 200]


@st.composite
def two_sets(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    """A size and two lists of numbers below it, in any order and with repetitions."""
    size = draw(st.sampled_from(SIZES) | st.integers(0, 300))
    numbers = st.lists(st.integers(0, size - 1), max_size=400) if size else st.just([])
    return size, draw(numbers), draw(numbers)


def row_set(numbers: list[int], size: int) -> RowSet:
    return RowSet.of(np.array(numbers, np.int64), size=size)


@settings(max_examples=200, deadline=None)
@given(given_=two_sets())
def test_it_is_what_pythons_sets_are(given_: tuple[int, list[int], list[int]]) -> None:
    size, left, right = given_
    one, other, every = row_set(left, size), row_set(right, size), set(range(size))
    for made, expected in [
        (one, set(left)),
        (one & other, set(left) & set(right)),
        (one | other, set(left) | set(right)),
        (~one, every - set(left)),
        (one & ~other, set(left) - set(right)),
        (RowSet.every(size), every),
        (~RowSet.every(size), set()),
    ]:
        assert made.numbers().tolist() == sorted(expected)
        assert made.numbers().dtype == np.int64
        assert len(made) == len(expected)
        assert made.size == size
        assert len(made.words) == len(made.counts()) == -(-size // 64)
        assert made.has(np.arange(size)).tolist() == [row in expected for row in range(size)]
        assert made == row_set(sorted(expected), size)
        assert hash(made) == hash(row_set(sorted(expected), size))
        starts = range(0, size, 64)
        assert made.counts().tolist() == [len(expected & set(range(start, start + 64))) for start in starts]
    assert (one == other) == (set(left) == set(right))


@pytest.mark.parametrize("size", SIZES)
def test_no_bit_stands_behind_the_last_row(size: int) -> None:
    """Else two equal sets would have other hashes."""
    for made in (RowSet.every(size), ~~RowSet.every(size), ~row_set([], size)):
        assert sum(word.bit_count() for word in made.words.tolist()) == len(made) == size
    assert RowSet.every(size) == row_set(list(range(size)), size)


def test_sets_of_other_sizes_are_others() -> None:
    assert row_set([1], 64) != row_set([1], 63)
    assert row_set([1], 64) != "a set"
    for combine in (RowSet.__and__, RowSet.__or__):
        with pytest.raises(ValueError, match="a set of 64 rows does not go with one of 2,000"):
            combine(row_set([1], 64), row_set([1], 2_000))
