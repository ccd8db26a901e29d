"""The order of an epoch: every row once, the same for the same key, another for another."""

import tracemalloc
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.rows.order import (
    BLOCK_ROWS,
    WINDOW_BLOCKS,
    WINDOW_ROWS,
    BlockPermutation,
    EpochOrder,
    Window,
    whole_order,
)
from store.rows.row_set import RowNumbers, RowSet

WINDOW = BLOCK_ROWS * WINDOW_BLOCKS
keys = st.integers(0, 2**64 - 1)
sizes = st.integers(0, 3 * WINDOW) | st.sampled_from(
    [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW]
)


def joined(windows: Iterable[Window]) -> RowNumbers:
    return np.concatenate([np.empty(0, np.int64), *(window.members[window.order] for window in windows)])


def order(rows: int, *, seed: int = 0, epoch: int = 0, chosen: RowSet | None = None) -> RowNumbers:
    return joined(EpochOrder(rows, seed=seed, epoch=epoch, chosen=chosen).windows())


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 5_000) | st.sampled_from([1, 2, 3, 4, 5, 16, 17, 4096, 4097]), seed=keys, epoch=keys)
def test_blocks_are_permuted_and_back(size: int, seed: int, epoch: int) -> None:
    permutation, numbers = BlockPermutation(size, seed=seed, epoch=epoch), np.arange(size)
    permuted = permutation(numbers)
    assert np.array_equal(np.sort(permuted), numbers)
    assert np.array_equal(permutation.inverse(permuted), numbers)
    assert np.array_equal(permutation(numbers[::-1]), permuted[::-1])


def test_every_block_is_as_likely_at_every_place() -> None:
    """The chi-squared statistic of 20 blocks at 20 places over 4,000 keys, against its 99.99 % quantile."""
    counts = np.zeros((20, 20))
    for seed in range(4_000):
        counts[np.arange(20), BlockPermutation(20, seed=seed, epoch=1)(np.arange(20))] += 1
    degrees = 19 * 19
    statistic = ((counts - 200) ** 2 / 200).sum()
    assert abs(statistic - degrees) < 3.9 * np.sqrt(2 * degrees)


@settings(max_examples=40, deadline=None)
@given(rows=sizes, seed=keys, epoch=keys)
def test_every_row_comes_once(rows: int, seed: int, epoch: int) -> None:
    assert np.array_equal(np.sort(order(rows, seed=seed, epoch=epoch)), np.arange(rows))
    assert np.array_equal(whole_order(rows, seed=seed, epoch=epoch), order(rows, seed=seed, epoch=epoch))


@settings(max_examples=40, deadline=None)
@given(rows=sizes, seed=keys, epoch=keys)
def test_windows_are_bounded_ascend_and_are_permuted(rows: int, seed: int, epoch: int) -> None:
    windows = list(EpochOrder(rows, seed=seed, epoch=epoch).windows())
    assert len(windows) == -(-rows // WINDOW)
    start = 0
    for window in windows:
        assert window.start == start
        assert 0 < len(window.members) <= WINDOW
        assert (np.diff(window.members) > 0).all()
        assert np.array_equal(np.sort(window.order), np.arange(len(window.members)))
        start += len(window.members)


@settings(max_examples=60, deadline=None)
@given(rows=sizes, seed=keys, share=st.sampled_from([None, 0.0, 0.01, 0.5, 1.0]), data=st.data())
def test_any_place_is_found_without_the_windows_before(
    rows: int, seed: int, share: float | None, data: st.DataObject
) -> None:
    chosen = None
    if share is not None:
        chance = np.random.default_rng(seed % 1_000)
        chosen = RowSet.of(np.flatnonzero(chance.random(rows) < share), size=rows)
    whole = EpochOrder(rows, seed=seed, epoch=1, chosen=chosen)
    position = data.draw(st.integers(0, len(whole) + 2))
    found = list(whole.windows(position))
    expected = [window for window in whole.windows() if window.start + len(window.members) > position]
    assert [window.start for window in found] == [window.start for window in expected]
    assert np.array_equal(joined(found), joined(expected))


@settings(max_examples=40, deadline=None)
@given(rows=sizes, seed=keys, data=st.data())
def test_chosen_rows_come_and_no_others_do(rows: int, seed: int, data: st.DataObject) -> None:
    left_out = data.draw(st.sets(st.integers(0, max(0, rows - 1)), max_size=20)) if rows else set()
    chosen = ~RowSet.of(np.array(sorted(left_out), np.int64), size=rows)
    expected = np.setdiff1d(np.arange(rows), sorted(left_out))
    assert np.array_equal(np.sort(order(rows, seed=seed, chosen=chosen)), expected)


def test_no_row_that_is_chosen_is_no_window() -> None:
    assert list(EpochOrder(10, seed=0, epoch=0, chosen=RowSet.of(np.empty(0, np.int64), size=10)).windows()) == []


def test_the_order_of_a_billion_rows_takes_neither_memory_nor_time() -> None:
    """One window is 65,536 rows; nothing else may be as large as a thousandth of the rows."""
    rows = 10**9
    tracemalloc.start()
    try:
        end = list(EpochOrder(rows, seed=1, epoch=2).windows(rows - 1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(end) == 1
    assert end[0].start + len(end[0].members) == rows
    assert peak < 8_000_000


def test_steps_over_sorted_classes_are_almost_as_mixed_as_by_a_full_shuffle() -> None:
    """Of 640,000 rows sorted by class, the class share of 64-row steps varies at most 1.1 times as much."""
    rows, batch = 640_000, 64
    classes = np.arange(rows) < rows * 2 // 5
    ours = np.mean([_variance(classes[whole_order(rows, seed=seed, epoch=0)], batch) for seed in range(8)])
    full = np.mean([_variance(np.random.default_rng(seed).permutation(classes), batch) for seed in range(8)])
    assert ours <= 1.1 * full


def _variance(classes: np.ndarray, batch: int) -> float:
    return float(classes.reshape(-1, batch).mean(axis=1).var())


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


def test_all_rows_chosen_is_no_choice() -> None:
    assert np.array_equal(order(200_000), order(200_000, chosen=RowSet.every(200_000)))


def test_the_order_is_the_one_that_runs_of_last_year_had() -> None:
    """A resume must find the order of the run that it resumes, with every version of numpy and of this program."""
    assert order(10, seed=7, epoch=3).tolist() == GOLDEN
    assert order(200, seed=0, epoch=0)[:10].tolist() == GOLDEN_BLOCKS
    assert order(200_000, seed=5, epoch=1)[::50_000].tolist() == GOLDEN_WINDOWS


GOLDEN = [6, 4, 8, 9, 0, 2, 5, 3, 1, 7]
GOLDEN_BLOCKS = [191, 32, 193, 8, 76, 14, 7, 60, 57, 171]
GOLDEN_WINDOWS = [192482, 199890, 99427, 30296]


def test_windows_are_shuffled_independently() -> None:
    windows = list(EpochOrder(3 * WINDOW, seed=0, epoch=0).windows())
    assert not np.array_equal(windows[0].order, windows[1].order)
    assert not np.array_equal(windows[1].order, windows[2].order)


def test_rows_are_mixed_over_the_whole_store() -> None:
    first = next(EpochOrder(4 * WINDOW_ROWS, seed=0, epoch=0).windows()).members
    quarters = np.bincount(first // WINDOW, minlength=4) / len(first)
    assert quarters == pytest.approx(np.full(4, 0.25), abs=0.05)


def test_neighbours_part_inside_a_window() -> None:
    shuffled = order(WINDOW)
    assert (np.abs(np.diff(shuffled)) == 1).mean() < 0.001
