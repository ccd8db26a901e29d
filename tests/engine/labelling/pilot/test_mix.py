"""Which shards and rows are the pilot, and what texts of a stratum have in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_factory import append_rows, label_of, make_store, text_of

from engine.labelling.pilot.mix.choose import allot, choose_rows, choose_shards, parts_of
from engine.labelling.pilot.mix.mix import (
    GROUPS,
    LENGTHS,
    STRATA,
    Candidates,
    Mix,
    Reservoir,
    file_groups,
    strata_of,
)
from engine.labelling.pilot.mix.of_store import CorpusRows, read_mix, texts_of


def mix_of(rows, *, gold=None):
    """A mix of shards whose first strata have ``rows``, (shards, some strata)."""
    table = np.zeros((len(rows), STRATA), np.int64)
    table[:, : len(rows[0])] = rows
    return Mix(
        shards=np.arange(len(rows)),
        rows=table,
        characters=10 * table,
        gold=np.zeros(STRATA, np.int64) if gold is None else gold,
    )


def candidates_of(strata, *, gold=None):
    strata = np.asarray(strata)
    keys = np.random.default_rng(1).random(len(strata))
    gold = np.full(len(strata), -1) if gold is None else np.asarray(gold)
    return Candidates(places=np.arange(len(strata)), strata=strata, keys=keys, gold=gold)


def test_a_length_class_spans_a_factor_of_the_square_root_of_two():
    lengths = strata_of(np.array([1, 2, 2**10, 2**10 + 400, 2**11, 2_000_000]), 0)
    assert lengths.tolist() == [0, 2, 20, 20, 22, 41]
    assert strata_of(np.array([2**10]), 3).tolist() == [3 * LENGTHS + 20]


def test_the_largest_files_have_groups_of_their_own_and_the_others_one_together():
    groups = file_groups([5, 100, *range(20, 30), 50])
    assert (groups[1], groups[-1]) == (0, 1)
    assert groups[0] == groups[2] == GROUPS - 1
    assert sorted(set(groups)) == list(range(GROUPS))


def test_chosen_shards_have_the_mix_of_all():
    # shards of one file are alike; a third of all rows are of the second file, whose shards come last
    rows = [[100, 0]] * 8 + [[0, 100]] * 4
    chosen = choose_shards(mix_of(rows), rows=300)
    assert sorted(shard >= 8 for shard in chosen) == [False, False, True]
    mixed = [[90, 10], [50, 50], [10, 90], [100, 0], [0, 100], [50, 50], [80, 20], [20, 80]]
    chosen = choose_shards(mix_of(mixed), rows=400)
    assert sum(mixed[shard][0] for shard in chosen) == 200


@pytest.mark.parametrize(("rows", "shards"), [(249, 0), (250, 3), (449, 4), (499, 5), (550, 0), (5000, 0)])
def test_whole_shards_need_three_and_are_at_most_half_of_all(rows, shards):
    assert len(set(choose_shards(mix_of([[100, 0]] * 10), rows=rows))) == shards


def test_no_shard_is_chosen_where_there_is_none():
    assert choose_shards(mix_of([[0, 0]] * 9), rows=3) == []


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20), st.integers(1, 500))
def test_each_stratum_gets_its_share_to_within_one_row(counts, rows):
    counts = np.array(counts)
    shares = allot(counts, rows)
    assert shares.sum() == min(rows, counts.sum())
    assert (np.abs(shares - counts * (shares.sum() / max(1, counts.sum()))) < 1).all()
    assert (shares <= counts).all()


def test_rows_are_drawn_by_stratum_and_those_with_gold_first():
    strata = np.repeat([0, 1], [300, 100])
    gold = np.where(np.arange(400) % 10 == 0, 1, -1)
    drawn = choose_rows(candidates_of(strata, gold=gold), mix_of([[3000, 1000]]), rows=40)
    assert np.bincount(drawn.strata).tolist() == [30, 10]
    assert (drawn.gold >= 0).all()


def test_where_a_stratum_has_too_few_candidates_others_fill_in():
    drawn = choose_rows(candidates_of([0] * 50 + [1] * 2), mix_of([[500, 500]]), rows=20)
    assert np.bincount(drawn.strata).tolist() == [18, 2]
    assert (np.diff(drawn.places) > 0).all()


def test_parts_have_one_mix_and_each_row_once():
    strata = np.repeat([0, 1, 2], [40, 20, 4])
    parts = parts_of(strata, 4)
    assert sorted(np.concatenate(parts).tolist()) == list(range(64))
    assert all(np.bincount(strata[part]).tolist() == [10, 5, 1] for part in parts)


def test_a_reservoir_keeps_random_rows_and_random_rows_with_gold_in_bounded_memory():
    reservoir, chance = Reservoir(50), np.random.default_rng(0)
    for first in range(0, 10_000, 500):
        places = np.arange(first, first + 500)
        gold = np.where(places % 100 == 0, 0, -1)
        reservoir.add(Candidates(places=places, strata=places % 3, keys=chance.random(500), gold=gold))
        assert len(reservoir.held) <= 100
    held = reservoir.held
    assert (held.gold >= 0).sum() >= 50
    assert held.places[held.gold < 0].mean() == pytest.approx(5000, abs=1500)


def test_the_mix_of_a_store_counts_every_row_by_length_file_and_gold():
    made = append_rows(make_store(rows=50, shards=3, labels=()), rows=10)
    mix, candidates, _ = read_mix(made, range(4), rows=5)
    assert (mix.total, mix.rows.sum(axis=1).tolist()) == (60, [16, 17, 17, 10])
    characters = [len(text_of(row)) for row in range(60)]
    assert mix.characters.sum() == sum(characters)
    assert mix.rows[3].sum() == mix.rows[3, LENGTHS : 2 * LENGTHS].sum(), "the file that was appended is another group"
    assert mix.gold.sum() == sum(label_of(row) is not None for row in range(60))
    assert mix.without([0, 1]).total == 27
    assert len(candidates) <= 40
    shown = texts_of(made, np.sort(candidates.places))
    assert shown == [text_of(row) for row in np.sort(candidates.places)]


def test_the_rows_of_a_shard_have_the_gold_that_holds():
    read = CorpusRows(make_store(rows=50, shards=3, labels=())).read(1)
    assert read.rows.tolist() == list(range(16, 33))
    assert read.gold.tolist() == [-1 if label_of(row) is None else label_of(row) for row in range(16, 33)]
    assert read.characters.tolist() == [len(text_of(row)) for row in range(16, 33)]
