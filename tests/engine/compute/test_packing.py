import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.packing import fill, pack

rows_of_ids = st.lists(st.lists(st.integers(0, 60_000), max_size=9), min_size=1, max_size=20)


def flat_rows(rows):
    """(tokens,) ids and (rows + 1,) offsets."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return np.array([token for row in rows for token in row], np.uint16), offsets


def packed(rows, chosen=None):
    return pack(*flat_rows(rows), np.arange(len(rows)) if chosen is None else np.array(chosen, np.int64))


@given(rows_of_ids, st.randoms())
def test_every_chosen_row_is_between_its_bounds_and_counts_from_zero(rows, random):
    chosen = random.sample(range(len(rows)), random.randint(1, len(rows)))
    made = packed(rows, chosen)
    assert made.rows == len(chosen) == len(made.bounds) - 1
    assert (made.ids.dtype, made.positions.dtype, made.bounds.dtype) == (np.int64, np.int64, np.int32)
    for number, row in enumerate(chosen):
        begin, stop = made.bounds[number : number + 2]
        assert made.ids[begin:stop].tolist() == rows[row]
        assert made.positions[begin:stop].tolist() == list(range(len(rows[row])))
    assert made.bounds[-1] == len(made.ids) == len(made.positions)


@given(rows_of_ids)
def test_blocks_are_all_rows_in_their_order_and_neighbours_differ_in_length(rows):
    made = packed(rows)
    assert [block.length for block in made.blocks for _ in range(block.rows)] == [len(row) for row in rows]
    places = [block.begin + number * block.length for block in made.blocks for number in range(block.rows)]
    assert places == made.bounds[:-1].tolist()
    assert [block.stop for block in made.blocks[:-1]] == [block.begin for block in made.blocks[1:]]
    assert all(one.length != other.length for one, other in zip(made.blocks, made.blocks[1:], strict=False))
    assert made.longest == max(map(len, rows))


@given(rows_of_ids, st.integers(0, 9), st.integers(0, 9))
def test_a_filled_up_batch_has_its_shape_and_the_same_rows(rows, more, empty):
    made = packed([*rows, [7]])
    full = fill(made, tokens=len(made.ids) + more, rows=made.rows + empty)
    assert (len(full.ids), len(full.positions)) == (len(made.ids) + more,) * 2
    assert (len(full.bounds), len(full.firsts)) == (made.rows + empty + 1, made.rows + empty)
    assert (full.rows, full.blocks, full.longest) == (made.rows, made.blocks, made.longest)
    assert (full.bounds[: made.rows + 1] == made.bounds).all()
    assert (full.bounds[made.rows :] == len(made.ids)).all()
    assert (full.ids[: len(made.ids)] == made.ids).all()
    assert (full.positions[: len(made.ids)] == made.positions).all()
    assert not full.positions[len(made.ids) :].any()


@given(rows_of_ids, st.integers(0, 9), st.integers(0, 9))
def test_firsts_are_the_first_tokens_of_the_rows_and_never_outside(rows, more, empty):
    rows = [[1, *row] for row in rows]
    made = packed(rows)
    full = fill(made, tokens=len(made.ids) + more, rows=made.rows + empty)
    assert full.ids[full.firsts[: full.rows]].tolist() == [1] * len(rows)
    assert not full.positions[full.firsts[: full.rows]].any()
    assert (full.firsts < len(full.ids)).all()


def test_equal_lengths_are_one_run():
    made = packed([[1, 2], [3, 4], [5], [6], [7, 8]])
    assert [(block.begin, block.rows, block.length, block.stop) for block in made.blocks] == [
        (0, 2, 2, 4),
        (4, 2, 1, 6),
        (6, 1, 2, 8),
    ]


def test_no_rows_make_an_empty_batch():
    made = packed([[1]], [])
    assert (made.ids.size, made.bounds.tolist(), made.rows, made.blocks, made.longest) == (0, [0], 0, (), 0)


@pytest.mark.parametrize(("tokens", "rows"), [(2, 9), (9, 1)])
def test_a_batch_that_does_not_fit_is_refused_with_both_sizes(tokens, rows):
    with pytest.raises(ValueError, match=f"3 tokens in 2 rows do not fit {tokens} tokens in {rows} rows"):
        fill(packed([[1, 2], [3]]), tokens=tokens, rows=rows)
