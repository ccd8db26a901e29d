from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tokens.batches import pad, plan, plan_apart, plan_packed, restore, waste

lengths_and_budget = st.tuples(st.lists(st.integers(0, 600), max_size=300), st.integers(1, 5000))


@given(lengths_and_budget)
def test_every_row_is_in_exactly_one_batch(case):
    lengths, budget = np.array(case[0], np.int64), case[1]
    rows = [row for batch in plan(lengths, budget=budget) for row in batch]
    assert sorted(rows) == list(range(len(lengths)))


@given(lengths_and_budget)
def test_a_batch_keeps_to_the_budget_unless_it_is_one_row(case):
    lengths, budget = np.array(case[0], np.int64), case[1]
    for batch in plan(lengths, budget=budget):
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= max(budget, len(batch))


@given(lengths_and_budget)
def test_restore_is_the_inverse_of_plan(case):
    lengths, budget = np.array([*case[0], 1], np.int64), case[1]
    rows = np.arange(len(lengths))
    batches = plan(lengths, budget=budget)
    assert (restore(batches, [rows[batch] for batch in batches]) == rows).all()


def test_the_longest_rows_come_first_and_equal_ones_keep_their_order():
    batches = plan(np.array([3, 9, 3, 9]), budget=18)
    assert [batch.tolist() for batch in batches] == [[1, 3], [0, 2]]


packed_cases = st.tuples(
    st.lists(st.integers(0, 600), max_size=300), st.integers(1, 5000), st.none() | st.integers(1, 40)
)


@given(packed_cases)
def test_every_row_is_in_exactly_one_packed_batch_longest_first(case):
    lengths = np.array(case[0], np.int64)
    batches = plan_packed(lengths, budget=case[1], rows=case[2])
    rows = np.concatenate([*batches, np.empty(0, np.int64)]).astype(np.int64)
    assert sorted(rows) == list(range(len(lengths)))
    assert rows.tolist() == sorted(rows.tolist(), key=lambda row: (-lengths[row], row))


@given(packed_cases)
def test_a_packed_batch_keeps_to_both_bounds_and_wastes_neither(case):
    lengths, budget, bound = np.array(case[0], np.int64), case[1], case[2] or len(case[0])
    batches = plan_packed(lengths, budget=budget, rows=case[2])
    for batch in batches:
        assert len(batch) == 1 or lengths[batch].sum() <= budget
        assert 1 <= len(batch) <= bound
    for batch, following in pairwise(batches):
        assert len(batch) == bound or lengths[batch].sum() + lengths[following[0]] > budget


@given(packed_cases)
def test_restore_is_the_inverse_of_plan_packed(case):
    lengths = np.array([*case[0], 1], np.int64)
    rows = np.arange(len(lengths))
    batches = plan_packed(lengths, budget=case[1], rows=case[2])
    assert (restore(batches, [rows[batch] for batch in batches]) == rows).all()


def test_lengths_of_any_kind_are_summed_without_overflow():
    lengths = np.full(300, 512, np.uint16)
    assert [len(batch) for batch in plan_packed(lengths, budget=65_536 * 2)] == [256, 44]


@pytest.mark.parametrize(("budget", "rows"), [(0, None), (5, 0)])
def test_packed_bounds_below_one_are_refused(budget, rows):
    with pytest.raises(ValueError, match=f"the budget is {budget} tokens in {rows} rows"):
        plan_packed(np.array([1]), budget=budget, rows=rows)


def test_a_budget_below_one_is_refused():
    with pytest.raises(ValueError, match="token budget is 0"):
        plan(np.array([1]), budget=0)


@given(st.lists(st.lists(st.integers(1, 99), max_size=9), min_size=1, max_size=20))
def test_padding_keeps_every_token_and_marks_the_real_ones(rows):
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    ids = np.array([token for row in rows for token in row], np.uint16)
    chosen = np.arange(len(rows))[::-1].copy()
    padded, real = pad(ids, offsets, chosen, pad_id=0)
    for place, row in enumerate(chosen):
        assert padded[place][real[place]].tolist() == rows[row]
        assert (padded[place][~real[place]] == 0).all()


def test_waste_counts_what_padded_batches_compute():
    lengths = np.array([4, 2, 2])
    counted = waste(plan(lengths, budget=8), lengths)
    assert (counted.real, counted.padded) == (8, 4 * 2 + 2)
    assert counted.ratio == pytest.approx(10 / 8)
    assert waste([], np.array([], np.int64)).ratio == 1.0


def test_sorting_and_budget_waste_little_on_lengths_like_those_of_reviews():
    lengths = np.clip(np.random.default_rng(0).lognormal(4.8, 0.8, 5000), 8, 512).astype(np.int64)
    assert waste(plan(lengths, budget=2048), lengths).ratio < 1.05


@given(kinds=st.lists(st.integers(0, 5), max_size=40), budget=st.integers(1, 60))
def test_rows_that_are_kept_apart_share_no_batch_and_each_is_in_one(kinds, budget):
    kinds = np.array(kinds, np.int64)
    lengths = 1 + kinds * 3 % 7
    batches = plan_apart(kinds, lengths, lambda alike: plan(alike, budget=budget))
    assert sorted(np.concatenate([*batches, np.empty(0, np.int64)]).tolist()) == list(range(len(kinds)))
    assert all(len(set(kinds[batch])) == 1 for batch in batches)
    assert all(len(batch) == 1 or lengths[batch].max() * len(batch) <= budget for batch in batches)
