"""The order of an epoch: every row once, the same for the same key, another for another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.order import BLOCK_ROWS, WINDOW_BLOCKS, Rows, epoch_windows

WINDOW = BLOCK_ROWS * WINDOW_BLOCKS
keys = st.integers(0, 2**64 - 1)
sizes = st.integers(0, 3 * WINDOW) | st.sampled_from(
    [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW]
)


def order(rows: int, *, seed: int = 0, epoch: int = 0, excluded: Rows | None = None) -> Rows:
    windows = [
        members[permutation] for members, permutation in epoch_windows(rows, seed=seed, epoch=epoch, excluded=excluded)
    ]
    return np.concatenate([np.empty(0, np.int64), *windows])


@settings(max_examples=40, deadline=None)
@given(rows=sizes, seed=keys, epoch=keys)
def test_every_row_comes_once(rows: int, seed: int, epoch: int) -> None:
    assert np.array_equal(np.sort(order(rows, seed=seed, epoch=epoch)), np.arange(rows))


@settings(max_examples=40, deadline=None)
@given(rows=sizes, seed=keys, epoch=keys)
def test_windows_are_bounded_ascend_and_are_permuted(rows: int, seed: int, epoch: int) -> None:
    windows = list(epoch_windows(rows, seed=seed, epoch=epoch))
    assert len(windows) == -(-rows // WINDOW)
    for members, permutation in windows:
        assert 0 < len(members) <= WINDOW
        assert (np.diff(members) > 0).all()
        assert np.array_equal(np.sort(permutation), np.arange(len(members)))


@settings(max_examples=40, deadline=None)
@given(rows=sizes, seed=keys, data=st.data())
def test_excluded_rows_never_come_and_all_others_do(rows: int, seed: int, data: st.DataObject) -> None:
    left_out = data.draw(st.sets(st.integers(0, max(0, rows - 1)), max_size=20)) if rows else set()
    excluded = np.array(sorted(left_out), np.int64)
    expected = np.setdiff1d(np.arange(rows), excluded)
    assert np.array_equal(np.sort(order(rows, seed=seed, excluded=excluded)), expected)


def test_a_window_whose_rows_are_all_excluded_is_empty() -> None:
    assert [len(members) for members, _ in epoch_windows(10, seed=0, epoch=0, excluded=np.arange(10))] == [0]


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(0, 5_000), seed=keys, epoch=keys)
def test_the_same_key_gives_the_same_order(rows: int, seed: int, epoch: int) -> None:
    assert np.array_equal(order(rows, seed=seed, epoch=epoch), order(rows, seed=seed, epoch=epoch))


@settings(max_examples=30, deadline=None)
@given(one=st.tuples(keys, keys), two=st.tuples(keys, keys))
def test_another_seed_or_epoch_gives_another_order(one: tuple[int, int], two: tuple[int, int]) -> None:
    first, second = (order(1_000, seed=seed, epoch=epoch) for seed, epoch in (one, two))
    assert np.array_equal(first, second) == (one == two)


def test_seed_and_epoch_are_not_interchangeable() -> None:
    assert not np.array_equal(order(1_000, seed=1, epoch=2), order(1_000, seed=2, epoch=1))


def test_no_exclusion_is_an_exclusion_of_nothing() -> None:
    assert np.array_equal(order(1_000), order(1_000, excluded=np.empty(0, np.int64)))


def test_the_order_is_the_one_that_runs_of_last_year_had() -> None:
    """A resume must find the order of the run that it resumes, with every version of numpy and of this program."""
    assert order(10, seed=7, epoch=3).tolist() == GOLDEN
    assert order(200, seed=0, epoch=0)[:10].tolist() == GOLDEN_BLOCKS


GOLDEN = [6, 4, 8, 9, 0, 2, 5, 3, 1, 7]
GOLDEN_BLOCKS = [191, 32, 193, 8, 76, 14, 7, 60, 57, 171]


def test_windows_are_shuffled_independently() -> None:
    windows = list(epoch_windows(3 * WINDOW, seed=0, epoch=0))
    assert not np.array_equal(windows[0][1], windows[1][1])
    assert not np.array_equal(windows[1][1], windows[2][1])


def test_rows_are_mixed_over_the_whole_store() -> None:
    rows = 4 * WINDOW
    first = next(epoch_windows(rows, seed=0, epoch=0))[0]
    quarters = np.bincount(first // WINDOW, minlength=4) / len(first)
    assert quarters == pytest.approx(np.full(4, 0.25), abs=0.05)


def test_neighbours_part_inside_a_window() -> None:
    shuffled = order(WINDOW)
    assert (np.abs(np.diff(shuffled)) == 1).mean() < 0.001
