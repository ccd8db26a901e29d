"""The rule that cuts rows into shards, of one segment and of several."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.format.layout import Layout, Segment

small = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), min_size=1, max_size=5)
large = st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**6)), min_size=1, max_size=5)


@settings(deadline=None)
@given(sizes=small)
def test_shards_tile_the_rows_and_those_of_a_segment_are_equal_but_for_one_row(sizes: list[tuple[int, int]]) -> None:
    layout = Layout.of(*sizes)
    ranges = [layout.range_of(shard) for shard in range(layout.shards)]
    assert (layout.rows, layout.shards) == tuple(map(sum, zip(*sizes, strict=True)))
    assert (ranges[0][0], ranges[-1][1]) == (0, layout.rows)
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(ranges))
    assert [layout.rows_of(shard) for shard in range(layout.shards)] == [end - start for start, end in ranges]
    assert list(layout) == [(shard, *range_) for shard, range_ in enumerate(ranges)]
    for segment in layout.segments:
        own = ranges[segment.first_shard : segment.first_shard + segment.shards]
        assert (own[0][0], own[-1][1]) == (segment.first_row, segment.first_row + segment.rows)
        assert {end - start for start, end in own} <= {
            segment.rows // segment.shards,
            math.ceil(segment.rows / segment.shards),
        }


@settings(deadline=None)
@given(sizes=large, data=st.data())
def test_the_shard_of_a_row_is_the_one_whose_range_has_it(sizes: list[tuple[int, int]], data: st.DataObject) -> None:
    layout = Layout.of(*sizes)
    row = data.draw(st.integers(0, layout.rows - 1))
    start, end = layout.range_of(layout.shard_of(row))
    assert start <= row < end


@settings(deadline=None)
@given(sizes=small)
def test_all_shards_of_rows_are_found_at_once_as_one_by_one(sizes: list[tuple[int, int]]) -> None:
    layout = Layout.of(*sizes)
    expected = [shard for shard, start, end in layout for _ in range(start, end)]
    assert [layout.shard_of(row) for row in range(layout.rows)] == expected
    assert layout.shards_of(np.arange(layout.rows)).tolist() == expected


@settings(deadline=None)
@given(sizes=small, more=small)
def test_rows_that_are_appended_leave_every_row_in_its_shard(
    sizes: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    before, after = Layout.of(*sizes), Layout.of(*sizes, *more)
    assert list(after)[: before.shards] == list(before)


@given(sizes=small, beyond=st.integers(0, 5))
def test_a_row_or_shard_that_is_not_there_is_refused(sizes: list[tuple[int, int]], beyond: int) -> None:
    layout = Layout.of(*sizes)
    for ask in (layout.range_of, layout.rows_of):
        for shard in (-1 - beyond, layout.shards + beyond):
            with pytest.raises(IndexError, match=f"shard {shard} is none of"):
                ask(shard)
    for row in (-1 - beyond, layout.rows + beyond):
        with pytest.raises(IndexError, match=f"row {row} is none of"):
            layout.shard_of(row)
        with pytest.raises(IndexError, match="are not among"):
            layout.shards_of(np.array([row]))


def test_no_rows_have_no_shards() -> None:
    assert Layout.of((5, 2), (3, 1)).shards_of(np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    "segments",
    [
        (),
        (Segment(first_row=1, rows=2, first_shard=0, shards=1),),
        (Segment(first_row=0, rows=2, first_shard=1, shards=1),),
        (Segment(first_row=0, rows=2, first_shard=0, shards=0),),
        (Segment(first_row=0, rows=-1, first_shard=0, shards=1),),
        (Segment(first_row=0, rows=2, first_shard=0, shards=1), Segment(first_row=3, rows=2, first_shard=1, shards=1)),
        (Segment(first_row=0, rows=2, first_shard=0, shards=1), Segment(first_row=2, rows=2, first_shard=2, shards=1)),
    ],
)
def test_segments_that_do_not_follow_each_other_are_no_layout(segments: tuple[Segment, ...]) -> None:
    with pytest.raises(ValueError, match=r"does not follow|at least one segment"):
        Layout(segments)
