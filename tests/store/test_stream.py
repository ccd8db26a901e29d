"""Batches of arrays: every row once, aligned with what was written, and resumed to the row, whoever reads them."""

import gc
import itertools
import threading
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from faults import FaultyStorage
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import (
    EXTRAS,
    NoWaitStorage,
    add_corpus,
    add_labels,
    add_tokens,
    label_of,
    make_store,
    random_logits,
    repair_labels,
    text_of,
    token_ids,
    write_header,
)

from store import Store
from store.errors import DamageError, MismatchError, StoreMissingError
from store.gold.add_round import Labelled, add_round
from store.gold.fingerprint import fingerprints
from store.rows.family_reader import failed_rows
from store.rows.order import BLOCK_ROWS, WINDOW_BLOCKS, EpochOrder
from store.rows.row_set import RowSet
from store.selections.selection import Selection, freeze_selection
from store.storage import MemoryStorage
from store.stream import Batch, Stream, StreamConfig

WINDOW = BLOCK_ROWS * WINDOW_BLOCKS
MANY = 2 * WINDOW + 12_345
FAILED = [0, 63, 64, 499]
ALSO_FAILED = [5, 63, 100, 101, 102]


@pytest.fixture(scope="module")
def made() -> Store:
    """500 rows in 7 shards with everything in it; four rows of ``bert`` failed."""
    made = write_header(rows=500, shards=7)
    add_corpus(made)
    add_labels(made, "bert", failed=FAILED)
    add_labels(made, "roberta", seed=1)
    add_tokens(made, "words-8-right")
    return made


@pytest.fixture(scope="module")
def large() -> Store:
    """Three windows of rows in 5 shards, with labels alone."""
    made = write_header(rows=MANY, shards=5)
    add_labels(made, "bert", failed=FAILED)
    return made


def rows_of(batches: list[Batch]) -> list[int]:
    return [row for batch in batches for row in batch["row"].tolist()]


def same(one: Batch, two: Batch) -> bool:
    return one.keys() == two.keys() and all(
        one[name].dtype == two[name].dtype and one[name].tolist() == two[name].tolist() for name in one
    )


@pytest.mark.parametrize("batch_size", [1, 3, 64, 100, 496, 10_000])
def test_every_labelled_row_comes_once_an_epoch(made: Store, batch_size: int) -> None:
    stream = made.stream(labels="bert", batch_size=batch_size)
    batches = list(stream)
    assert sorted(rows_of(batches)) == sorted(set(range(500)) - set(FAILED))
    assert stream.rows == 496
    assert stream.steps == len(batches)
    assert {len(batch["row"]) for batch in batches[:-1]} <= {batch_size}
    assert 0 < len(batches[-1]["row"]) <= batch_size


@pytest.mark.parametrize("batch_size", [1_000, WINDOW - 1, WINDOW, WINDOW + 1, MANY])
def test_batches_straddle_windows_without_losing_a_row(large: Store, batch_size: int) -> None:
    stream = large.stream(labels="bert", batch_size=batch_size)
    batches = list(stream)
    assert np.array_equal(
        np.sort(np.concatenate([batch["row"] for batch in batches])), np.setdiff1d(np.arange(MANY), FAILED)
    )
    assert [len(batch["row"]) for batch in batches[:-1]] == [batch_size] * (stream.steps - 1)
    logits = random_logits(MANY, failed=FAILED)
    for batch in batches:
        assert batch["logits"].dtype == np.float16
        assert np.array_equal(batch["logits"], logits[batch["row"]])


@pytest.mark.parametrize("step", [0, 1, 64, 65, 66, 131, 143, 144])
def test_a_resumed_stream_is_the_tail_of_the_one_that_was_not_stopped(large: Store, step: int) -> None:
    arguments: dict[str, Any] = {"labels": "bert", "columns": ("logits", "confidence"), "batch_size": 1_000}
    whole = list(large.stream(**arguments))
    tail = list(large.stream(**arguments, step=step))
    assert len(tail) == len(whole) - step
    for one, two in zip(whole[step:], tail, strict=True):
        assert np.array_equal(one["row"], two["row"])
        assert np.array_equal(one["logits"], two["logits"])
        assert np.array_equal(one["confidence"], two["confidence"])


@settings(max_examples=40, deadline=None)
@given(batch_size=st.integers(1, 600), seed=st.integers(0, 2**32), epoch=st.integers(0, 100), data=st.data())
def test_a_resume_at_any_step_is_the_tail(
    made: Store, batch_size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    def stream(step: int) -> Stream:
        config: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "epoch": epoch, "step": step}
        return made.stream(labels="bert", columns=("text", "logits"), encoding="words-8-right", **config)

    whole = list(stream(0))
    step = data.draw(st.integers(0, len(whole)))
    tail = list(stream(step))
    assert len(tail) == len(whole) - step
    assert all(same(one, two) for one, two in zip(whole[step:], tail, strict=True))


def test_a_step_past_the_end_gives_nothing(made: Store) -> None:
    assert list(made.stream(labels="bert", step=1_000)) == []


def test_the_state_counts_the_batches_that_were_given_out(made: Store) -> None:
    stream = made.stream(labels="bert", batch_size=100, seed=3, epoch=2, step=1)
    assert stream.state() == {"seed": 3, "epoch": 2, "step": 1}
    steps = [stream.state()["step"] for _ in stream]
    assert steps == [2, 3, 4, 5]
    rest = made.stream(labels="bert", batch_size=100, **stream.state())
    assert list(rest) == []


def test_a_stream_can_be_read_again(made: Store) -> None:
    stream = made.stream(labels="bert", batch_size=100, step=2)
    first = rows_of(list(stream))
    assert rows_of(list(stream)) == first
    assert stream.state()["step"] == stream.steps


def test_a_stream_can_be_called_like_the_first_stage_of_a_pipeline(made: Store) -> None:
    stream = made.stream(labels="bert", batch_size=100)
    assert rows_of(list(stream())) == rows_of(list(stream))


def test_epochs_and_seeds_have_orders_of_their_own(made: Store) -> None:
    orders = [
        rows_of(list(made.stream(labels="bert", seed=seed, epoch=epoch)))
        for seed, epoch in [(0, 0), (0, 0), (1, 0), (0, 1)]
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


def test_the_order_does_not_depend_on_the_shards_the_columns_or_the_batch_size(made: Store) -> None:
    other = write_header(rows=500, shards=2)
    add_corpus(other)
    add_labels(other, "bert", failed=FAILED)
    expected = rows_of(list(made.stream(labels="bert")))
    assert rows_of(list(other.stream(labels="bert", columns=("text",), batch_size=33))) == expected


def test_all_columns_belong_to_their_row(made: Store) -> None:
    columns = ("text", "id", "label", "n_chars", "logits", "prediction", "confidence", "n_tokens", "truncated")
    logits = random_logits(500, failed=FAILED)
    seen = 0
    for batch in made.stream(labels="bert", columns=columns, encoding="words-8-right", batch_size=37):
        assert set(batch) == {"row", *columns, "input_ids", "offsets"}
        assert batch["row"].dtype == np.int64
        assert batch["offsets"].dtype == np.int64
        assert batch["offsets"][0] == 0
        assert batch["offsets"][-1] == len(batch["input_ids"])
        assert batch["logits"].shape == (len(batch["row"]), 3)
        for position, row in enumerate(batch["row"].tolist()):
            seen += 1
            start, stop = batch["offsets"][position : position + 2]
            gold = batch["label"][position]
            assert batch["text"][position] == text_of(row)
            assert batch["id"][position] == f"id-{row}"
            assert batch["n_chars"][position] == len(text_of(row))
            assert (None if gold == -1 else int(gold)) == label_of(row)
            assert np.array_equal(batch["logits"][position], logits[row])
            assert batch["prediction"][position] == logits[row].argmax()
            assert batch["n_tokens"][position] == row % 7
            assert batch["truncated"][position] == (row % 5 == 0)
            assert batch["input_ids"][start:stop].tolist() == token_ids(row)
    assert seen == 496


def test_token_ids_stay_with_their_row_where_a_batch_straddles_windows() -> None:
    rows = WINDOW + 500
    made = write_header(rows=rows, shards=3)
    add_tokens(made, "words-8-right")
    batches = list(made.stream(columns=(), encoding="words-8-right", batch_size=10_000))
    assert [len(batch["row"]) for batch in batches] == [10_000] * 6 + [6_036]
    for batch in batches:
        assert len(batch["offsets"]) == len(batch["row"]) + 1
        pieces = np.split(batch["input_ids"], batch["offsets"][1:-1])
        assert [piece.tolist() for piece in pieces] == [token_ids(row) for row in batch["row"].tolist()]


@pytest.mark.parametrize("with_tokens", [range(0), range(30, 31), range(1, 70, 2)], ids=["none", "one", "odd"])
@pytest.mark.parametrize("config", [{"batch_size": 70}, {"batch_size": 1, "step": 69}, {"batch_size": 8, "ranks": 3}])
def test_rows_without_tokens_come_too(
    monkeypatch: pytest.MonkeyPatch, with_tokens: range, config: dict[str, int]
) -> None:
    """Also where no row of a shard, of a window or of the store has any."""
    monkeypatch.setattr("store_factory.token_ids", lambda row: [row, 7] if row in with_tokens else [])
    made = write_header(rows=70, shards=3)
    add_tokens(made, "words-8-right")
    batches = list(made.stream(columns=(), encoding="words-8-right", **config))
    assert batches
    for batch in batches:
        assert batch["input_ids"].dtype == np.uint16
        assert batch["input_ids"].tolist() == [
            token for row in batch["row"].tolist() if row in with_tokens for token in (row, 7)
        ]
        assert np.diff(batch["offsets"]).tolist() == [2 * (row in with_tokens) for row in batch["row"].tolist()]


def test_the_label_set_that_is_asked_is_the_one_that_comes(made: Store) -> None:
    (batch,) = made.stream(labels="roberta", batch_size=1_000)
    assert len(batch["row"]) == 500
    assert np.array_equal(batch["logits"], random_logits(500, seed=1)[batch["row"]])


def test_rows_are_left_out_only_for_the_labels_that_are_asked(made: Store) -> None:
    stream = made.stream(columns=("text",), encoding="words-8-right")
    assert stream.rows == 500
    assert sorted(rows_of(list(stream))) == list(range(500))


def test_extra_columns_can_be_streamed() -> None:
    made = make_store(rows=50)
    (batch,) = made.stream(labels="bert", columns=("Café", "logits"))
    assert batch["Café"].tolist() == [f"café {row % 3}" for row in batch["row"]]


def test_row_may_be_asked_by_name(made: Store) -> None:
    batches = list(made.stream(columns=("row", "text")))
    assert sorted(rows_of(batches)) == list(range(500))
    assert [text_of(row) for row in rows_of(batches)] == [text for batch in batches for text in batch["text"]]


def test_more_shards_than_are_held_open() -> None:
    made = write_header(rows=300, shards=150)
    logits = add_labels(made, "bert")
    (batch,) = made.stream(labels="bert", batch_size=300)
    assert sorted(batch["row"].tolist()) == list(range(300))
    assert np.array_equal(batch["logits"], logits[batch["row"]])


def test_more_shards_than_rows() -> None:
    made = make_store(rows=3, shards=10)
    (batch,) = made.stream(labels="bert", columns=("text", "logits"))
    assert dict(zip(batch["row"].tolist(), batch["text"], strict=True)) == {row: text_of(row) for row in range(3)}


def test_a_store_of_which_every_row_failed_gives_no_batch() -> None:
    made = write_header(rows=10, shards=2)
    add_labels(made, "bert", failed=range(10))
    stream = made.stream(labels="bert")
    assert (stream.rows, stream.steps, list(stream)) == (0, 0, [])


def test_a_whole_window_of_failed_rows_is_passed_over() -> None:
    rows = WINDOW + 64
    made = write_header(rows=rows, shards=2)
    add_labels(made, "bert", failed=range(64, rows))
    batches = list(made.stream(labels="bert", batch_size=10))
    assert sorted(rows_of(batches)) == list(range(64))


def test_failed_rows_are_found_over_all_shards(made: Store) -> None:
    assert failed_rows(made, "bert").tolist() == FAILED
    assert failed_rows(made, "roberta").tolist() == []


@pytest.mark.parametrize(
    ("columns", "labels", "unknown"),
    [
        (("logits", "mood", "blood"), "bert", "blood, mood"),
        (("logits",), None, "logits"),
        (("input_ids",), "bert", "input_ids"),
    ],
)
def test_an_unknown_column_is_refused_by_name(
    made: Store, columns: tuple[str, ...], labels: str | None, unknown: str
) -> None:
    with pytest.raises(StoreMissingError, match=f"no column {unknown} in memory:.*labels: {labels}"):
        made.stream(labels=labels, columns=columns)


def test_an_unknown_label_set_is_refused_with_the_known_ones(made: Store) -> None:
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'; it has: bert, roberta"):
        made.stream(labels="gpt")


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_holds_at_least_one_row(made: Store, batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}; it must be at least 1"):
        made.stream(labels="bert", batch_size=batch_size)


def test_the_defaults_are_the_logits_in_batches_of_64() -> None:
    config = StreamConfig(labels="bert")
    assert (config.columns, config.batch_size, config.seed, config.epoch, config.step) == (("logits",), 64, 0, 0, 0)


def test_a_damaged_shard_ends_the_stream_by_name() -> None:
    made = make_store(rows=50)
    record = made.family("labels/bert").records()[1]
    name = f"labels/bert/{record.file}"
    made.storage.put(name, made.storage.read(name).to_pybytes()[:-1])
    with pytest.raises(DamageError, match=record.file):
        list(made.stream(labels="bert"))


def test_equal_streams_give_equal_batches(made: Store) -> None:
    batches = list(made.stream(labels="bert", encoding="words-8-right", batch_size=100))
    again = list(made.stream(labels="bert", encoding="words-8-right", batch_size=100))
    assert all(same(one, two) for one, two in zip(batches, again, strict=True))


# ranks, workers and resumes

ALL_COLUMNS = ("text", "id", "label", "n_chars", "stars", "Café", "logits", "prediction", "confidence", "truncated")
RANKS_AND_WORKERS = [(ranks, workers) for ranks in (1, 2, 4) for workers in (0, 2, 4)]


@pytest.fixture(scope="module")
def rich() -> Store:
    """500 rows with every kind of column; four rows of ``bert`` and five of ``roberta`` failed, one of them the same."""
    made = write_header(rows=500, shards=7, extras=EXTRAS)
    add_corpus(made)
    add_labels(made, "bert", failed=FAILED)
    add_labels(made, "roberta", seed=1, failed=ALSO_FAILED)
    add_tokens(made, "words-8-right")
    return made


@pytest.fixture(scope="module")
def wide() -> Store:
    """A window and a bit, with texts, labels and tokens."""
    made = write_header(rows=WINDOW + 500, shards=3)
    add_corpus(made)
    add_labels(made, "bert", failed=FAILED)
    add_tokens(made, "words-8-right")
    return made


def together(parts: list[Batch]) -> Batch:
    """The parts of one step as one batch; they are in the order of their ranks."""
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if "offsets" in joined:
        lengths = [length for part in parts for length in np.diff(part["offsets"]).tolist()]
        joined["offsets"] = np.array([0, *itertools.accumulate(lengths)], np.int64)
    return joined


def assert_same(ours: list[Batch], theirs: list[Batch]) -> None:
    """Not a number is equal to itself here, which no text is: extra columns may be null."""
    assert len(ours) == len(theirs)
    for one, two in zip(ours, theirs, strict=True):
        assert one.keys() == two.keys()
        for name in one:
            assert one[name].dtype == two[name].dtype, name
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def by_ranks(made: Store, ranks: int, **config: Any) -> list[Batch]:
    """The steps of all ranks together; all have equally many of them, and know how many rows there are."""
    streams = [made.stream(rank=rank, ranks=ranks, **config) for rank in range(ranks)]
    assert len({(stream.rows, stream.steps) for stream in streams}) == 1
    steps = list(zip(*streams, strict=True))
    assert len(steps) == streams[0].steps - config.get("step", 0)
    return [together(list(parts)) for parts in steps]


@pytest.mark.parametrize(("ranks", "workers"), RANKS_AND_WORKERS)
@pytest.mark.parametrize("batch_size", [2, 37, 99, 165, 10_000])
def test_the_parts_of_all_ranks_are_the_batch_of_one(rich: Store, batch_size: int, ranks: int, workers: int) -> None:
    """Of 496 rows, the last step has 15, 1, 1 and all; a step of 2 has no row for some of 4 ranks."""
    config: dict[str, Any] = {"labels": "bert", "columns": ALL_COLUMNS, "encoding": "words-8-right", "seed": 3}
    alone = list(rich.stream(**config, batch_size=batch_size, workers=0))
    assert_same(by_ranks(rich, ranks, **config, batch_size=batch_size, workers=workers), alone)


@pytest.mark.parametrize(("ranks", "workers"), RANKS_AND_WORKERS)
@pytest.mark.parametrize("batch_size", [10_000, WINDOW + 495])
def test_the_parts_of_steps_that_straddle_windows_are_the_batch_of_one(
    wide: Store, batch_size: int, ranks: int, workers: int
) -> None:
    config: dict[str, Any] = {"labels": "bert", "columns": ("text", "label", "logits"), "encoding": "words-8-right"}
    alone = list(wide.stream(**config, batch_size=batch_size, workers=0))
    assert len(alone[-1]["row"]) == (wide.header.rows - len(FAILED)) % batch_size
    assert_same(by_ranks(wide, ranks, **config, batch_size=batch_size, workers=workers), alone)


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_differ_by_one_row_at_most(made: Store, workers: int) -> None:
    parts = [list(made.stream(labels="bert", batch_size=99, rank=rank, ranks=4, workers=workers)) for rank in range(4)]
    sizes = [[len(batch["row"]) for batch in part] for part in parts]
    assert [sum(step) for step in zip(*sizes, strict=True)] == [99, 99, 99, 99, 99, 1]
    assert all(max(step) - min(step) <= 1 for step in zip(*sizes, strict=True))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_part_without_rows_has_all_columns_in_their_types(rich: Store, workers: int) -> None:
    columns, encoding = ("text", "label", "logits", "confidence"), "words-8-right"
    config: dict[str, Any] = {"labels": ("bert", "roberta"), "columns": columns, "encoding": encoding}
    parts = [list(rich.stream(**config, batch_size=2, rank=rank, ranks=3, workers=workers)) for rank in range(3)]
    (empty,) = [part for part in parts if not any(len(batch["row"]) for batch in part)]
    (full, _) = [part for part in parts if part is not empty]
    assert len(empty) == len(full) == 246
    for batch, example in zip(empty, full, strict=True):
        assert batch.keys() == example.keys()
        assert batch["offsets"].tolist() == [0]
        for name in set(batch) - {"offsets"}:
            assert len(batch[name]) == 0
            assert batch[name].dtype == example[name].dtype
            assert batch[name].shape[1:] == example[name].shape[1:]


def interrupted(made: Store, data: st.DataObject, *, cuts: int, **config: Any) -> list[Batch]:
    """An epoch that is read in pieces, each by another number of ranks and workers, from the state of the last."""
    steps = made.stream(**config).steps
    ends = sorted(data.draw(st.lists(st.integers(0, steps), min_size=cuts, max_size=cuts), label="interruptions"))
    state, seen = {"seed": config.pop("seed"), "epoch": config.pop("epoch"), "step": 0}, list[Batch]()
    for start, stop in pairwise([0, *ends, steps]):
        ranks = data.draw(st.integers(1, 5), label="ranks")
        workers = data.draw(st.sampled_from([0, 1, 2, 4]), label="workers")
        streams = [made.stream(**config, **state, rank=rank, ranks=ranks, workers=workers) for rank in range(ranks)]
        readers = [iter(stream) for stream in streams]
        seen += [together([next(reader) for reader in readers]) for _ in range(stop - start)]
        states = [stream.state() for stream in streams]
        assert states == [{**state, "step": stop}] * ranks
        state = states[0]
    return seen


@settings(max_examples=30, deadline=None)
@given(batch_size=st.integers(1, 300), seed=st.integers(0, 2**32), epoch=st.integers(0, 100), data=st.data())
def test_three_interruptions_with_other_ranks_change_nothing(
    made: Store, batch_size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    config: dict[str, Any] = {"labels": "bert", "columns": ("text", "logits"), "encoding": "words-8-right"}
    config |= {"batch_size": batch_size, "seed": seed, "epoch": epoch}
    assert_same(interrupted(made, data, cuts=3, **config), list(made.stream(**config, workers=0)))


@settings(max_examples=6, deadline=None)
@given(batch_size=st.sampled_from([4_999, WINDOW // 3, WINDOW - 1]), data=st.data())
def test_three_interruptions_over_many_windows_change_nothing(
    large: Store, batch_size: int, data: st.DataObject
) -> None:
    config: dict[str, Any] = {"labels": "bert", "batch_size": batch_size, "seed": 1, "epoch": 2}
    assert_same(interrupted(large, data, cuts=3, **config), list(large.stream(**config, workers=0)))


@pytest.mark.parametrize("changes", [{"rank": -1}, {"rank": 2, "ranks": 2}, {"rank": 1}, {"ranks": 0}])
def test_a_rank_is_one_of_the_ranks(made: Store, changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"rank is -?\d of \d; it must be from 0 to"):
        made.stream(labels="bert", **changes)


@pytest.mark.parametrize("changes", [{"step": -1}, {"workers": -1}])
def test_steps_and_workers_are_not_negative(made: Store, changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"step is -?\d and workers -?\d; neither can be negative"):
        made.stream(labels="bert", **changes)


# selections and several label sets


def chosen(made: Store, name: str, rows: Iterable[int]) -> RowSet:
    """Freeze a selection that no SQL made; its rows."""
    numbers = RowSet.of(np.array(sorted(rows), np.int64), size=made.header.rows)
    freeze_selection(made, Selection(name=name, rows=numbers, sources=fingerprints(made, ["corpus"])))
    return numbers


def in_order(made: Store, rows: RowSet, *, seed: int, epoch: int) -> list[int]:
    """Row numbers as the order of the epoch has them."""
    windows = EpochOrder(made.header.rows, seed=seed, epoch=epoch, chosen=rows).windows()
    return [row for window in windows for row in window.members[window.order].tolist()]


@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (1, 2), (3, 0), (4, 2)])
def test_a_selection_comes_exactly_and_in_its_order(rich: Store, ranks: int, workers: int) -> None:
    rows = chosen(rich, "odd-or-many", [row for row in range(500) if row % 2 or row > 400])
    config: dict[str, Any] = {"select": "odd-or-many", "columns": ("text",), "encoding": "words-8-right"}
    config |= {"batch_size": 41, "seed": 9, "epoch": 4, "workers": workers}
    batches = by_ranks(rich, ranks, **config)
    assert rows_of(batches) == in_order(rich, rows, seed=9, epoch=4)
    assert sorted(rows_of(batches)) == rows.numbers().tolist()
    assert [text for batch in batches for text in batch["text"]] == [text_of(row) for row in rows_of(batches)]
    assert rich.stream(**config).rows == len(rows)
    assert len(batches) == -(-len(rows) // 41)


def test_a_selection_over_many_windows_comes_exactly_and_in_its_order(wide: Store) -> None:
    rows = chosen(wide, "every-third", range(0, WINDOW + 500, 3))
    batches = by_ranks(wide, 2, select="every-third", columns=(), encoding="words-8-right", batch_size=5_000, workers=2)
    assert rows_of(batches) == in_order(wide, rows, seed=0, epoch=0)
    for step in (0, 3, 4):
        tail = by_ranks(
            wide, 3, select="every-third", columns=(), encoding="words-8-right", batch_size=5_000, step=step
        )
        assert_same(tail, batches[step:])


def test_of_a_selection_the_rows_that_failed_are_left_out(rich: Store) -> None:
    rows = chosen(rich, "first-seventy", range(70))
    labelled = rows & ~RowSet.of(np.array(FAILED), size=500)
    batches = by_ranks(rich, 2, labels="bert", select="first-seventy", batch_size=16)
    assert sorted(rows_of(batches)) == sorted(set(range(70)) - set(FAILED))
    assert rows_of(batches) == in_order(rich, labelled, seed=0, epoch=0)
    assert sorted(rows_of(by_ranks(rich, 2, select="first-seventy", columns=("text",)))) == list(range(70))


def test_a_selection_of_failed_rows_alone_gives_no_batch(rich: Store) -> None:
    chosen(rich, "failed-alone", FAILED)
    stream = rich.stream(labels="bert", select="failed-alone")
    assert (stream.rows, stream.steps, list(stream)) == (0, 0, [])


@pytest.mark.parametrize("names", [("bert", "roberta"), ("roberta", "bert"), ("bert",)])
@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (3, 2)])
def test_label_columns_of_several_sets_are_stacked(
    rich: Store, names: tuple[str, ...], ranks: int, workers: int
) -> None:
    """(rows, label sets, …) in the order in which they are asked; a row that failed in either does not come."""
    logits = {"bert": random_logits(500, failed=FAILED), "roberta": random_logits(500, seed=1, failed=ALSO_FAILED)}
    columns = ("logits", "prediction", "truncated", "text", "label")
    batches = by_ranks(rich, ranks, labels=names, columns=columns, batch_size=60, workers=workers)
    lost = {*FAILED, *ALSO_FAILED} if len(names) == 2 else set(FAILED)
    assert sorted(rows_of(batches)) == sorted(set(range(500)) - lost)
    assert rich.stream(labels=names).rows == 500 - len(lost)
    for batch in batches:
        rows = batch["row"]
        expected = np.stack([logits[name][rows] for name in names], axis=1)
        assert np.array_equal(batch["logits"], expected if len(names) == 2 else expected[:, 0])
        predictions = expected.argmax(axis=2)
        assert np.array_equal(batch["prediction"], predictions if len(names) == 2 else predictions[:, 0])
        assert batch["truncated"].shape == ((len(rows), 2) if len(names) == 2 else (len(rows),))
        assert batch["text"].tolist() == [text_of(row) for row in rows.tolist()]
        assert batch["label"].shape == (len(rows),)


def test_words_of_several_sets_are_stacked_too(rich: Store) -> None:
    """A column of strings; it is null in every row that comes."""
    (batch,) = rich.stream(labels=("bert", "roberta"), columns=("failure",), batch_size=1_000)
    assert batch["failure"].shape == (492, 2)
    assert set(batch["failure"].ravel().tolist()) == {None}


def test_one_unknown_set_among_several_is_refused(rich: Store) -> None:
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'"):
        rich.stream(labels=("bert", "gpt"))


def test_an_unknown_selection_is_refused_with_the_known_ones() -> None:
    made = make_store(rows=50)
    chosen(made, "few", range(5))
    with pytest.raises(StoreMissingError, match="has no selection 'many'; it has: few"):
        made.stream(labels="bert", select="many")


def test_a_selection_whose_labels_have_changed_is_refused() -> None:
    made = make_store(rows=50)
    rows = RowSet.of(np.arange(5), size=50)
    sources = fingerprints(made, ["corpus", "labels/bert"])
    freeze_selection(made, Selection(name="sure", rows=rows, sources=sources))
    assert made.stream(labels="bert", select="sure").rows == 5
    repair_labels(made, "bert", shard=1, seed=9)
    with pytest.raises(MismatchError, match=r"selection 'sure' .* was made from labels/bert when its fingerprint was"):
        made.stream(labels="bert", select="sure")


# what is read, held and left behind


@pytest.fixture(scope="module")
def in_many_shards() -> tuple[Store, FaultyStorage]:
    """A window and four blocks in 300 shards, with labels alone, in a storage that counts its calls and does not fail."""
    storage = FaultyStorage(MemoryStorage())
    made = write_header(storage, rows=WINDOW + 4 * BLOCK_ROWS, shards=300)
    add_labels(made, "bert")
    made.label_set("bert").seal()
    return made, storage


def data_reads(storage: FaultyStorage) -> list[str]:
    """Names of the data files that were read, in that order."""
    reads = (call.split(" ", 1) for call in storage.calls)
    return [name for verb, name in reads if verb in ("open", "read") and ".arrow" in name]


def shards_of(made: Store, rows: Iterable[int]) -> set[str]:
    """The label files that hold ``rows``."""
    records = made.label_set("bert").records()
    numbers = {made.layout.shard_of(int(row)) for row in rows}
    return {f"labels/bert/{records[number].file}" for number in numbers}


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_resume_reads_nothing_of_the_windows_before(
    in_many_shards: tuple[Store, FaultyStorage], workers: int
) -> None:
    made, storage = in_many_shards
    (last,) = EpochOrder(made.header.rows, seed=0, epoch=0).windows(WINDOW)
    storage.calls.clear()
    batches = list(made.stream(labels="bert", batch_size=64, step=WINDOW // 64, workers=workers))
    assert sorted(rows_of(batches)) == last.members.tolist()
    read = data_reads(storage)
    assert set(read) == shards_of(made, last.members)
    assert len(read) == len(set(read)) <= 8
    storage.calls.clear()
    assert len(list(made.stream(labels="bert", batch_size=1_024, workers=workers))) == 65
    assert len(set(data_reads(storage))) == 300


def test_a_rank_reads_no_shard_that_others_alone_need(in_many_shards: tuple[Store, FaultyStorage]) -> None:
    """Of the last step's 256 rows, each of 128 ranks has two."""
    made, storage = in_many_shards
    storage.calls.clear()
    (batch,) = made.stream(labels="bert", batch_size=256, step=WINDOW // 256, rank=77, ranks=128)
    assert len(batch["row"]) == 2
    assert set(data_reads(storage)) == shards_of(made, batch["row"])


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_memory_is_bounded_by_about_two_windows(tmp_path: Path, workers: int) -> None:
    """A window is 4 MiB of logits, and the epoch has eight; while one is read, its pieces and the sorted ones stand."""
    rows, classes, window = 8 * WINDOW, 32, WINDOW * 32 * 2
    made = write_header(NoWaitStorage(tmp_path), rows=rows, shards=16, classes=[f"class {n}" for n in range(classes)])
    logits = np.broadcast_to(np.arange(classes, dtype=np.float16), (rows, classes))
    add_labels(made, "wide", logits=logits)
    before, most, batches = pa.total_allocated_bytes(), 0, 0
    tracemalloc.start()
    try:
        for _ in made.stream(labels="wide", batch_size=512, workers=workers):
            most = max(most, pa.total_allocated_bytes() - before)
            batches += 1
        of_python = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert batches == rows // 512
    assert window <= most < 4.5 * window
    assert of_python < 2 * window


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("taken", [0, 1, 80])
def test_a_stream_that_is_left_half_read_leaves_no_thread_behind(large: Store, workers: int, taken: int) -> None:
    before = threads()
    reader = iter(large.stream(labels="bert", batch_size=1_000, workers=workers))
    for _ in range(taken):
        next(reader)
    assert taken == 0 or threads() > before
    del reader
    gc.collect()
    assert threads() == before


def test_a_stream_that_is_read_to_its_end_leaves_no_thread_behind(large: Store) -> None:
    before = threads()
    assert sum(1 for _ in large.stream(labels="bert", batch_size=10_000, workers=4)) == 15
    assert threads() == before


def damage_inside(made: Store, path: str, shard: int) -> str:
    """Overwrite a quarter of a shard, whose size and end stay, so that it opens; the file's name."""
    record = made.family(path).records()[shard]
    data = bytearray(made.storage.read(f"{path}/{record.file}").to_pybytes())
    quarter = len(data) // 4
    data[quarter : 2 * quarter] = bytes(quarter)
    made.storage.put(f"{path}/{record.file}", bytes(data))
    return record.file


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_an_error_of_a_reading_thread_reaches_the_caller_by_name(workers: int) -> None:
    before = threads()
    made = make_store(rows=6_000)
    file = damage_inside(made, "corpus", 1)
    with pytest.raises(DamageError, match=f"/corpus/{file} is damaged"):
        list(made.stream(labels="bert", columns=(*made.schema("corpus").names, "logits"), workers=workers))
    gc.collect()
    assert threads() == before


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_an_error_comes_where_its_window_begins(workers: int) -> None:
    """What was read before is given out before. A selection leaves the damaged shard to the second window alone."""
    made = write_header(rows=WINDOW + 4 * BLOCK_ROWS, shards=300)
    add_labels(made, "bert")
    first, second = (window.members for window in EpochOrder(made.header.rows, seed=0, epoch=0).windows())
    begin, stop = made.layout.range_of(made.layout.shard_of(int(second[0])))
    kept = first[(first < begin) | (first >= stop)]
    numbers = RowSet.of(np.concatenate([kept, second]), size=made.header.rows)
    freeze_selection(made, Selection(name="kept", rows=numbers, sources=fingerprints(made, ["labels/bert"])))
    (name,) = shards_of(made, [begin])
    made.storage.put(name, b"short")
    seen: list[Batch] = []

    def read() -> None:
        seen.extend(made.stream(labels="bert", select="kept", batch_size=4_096, workers=workers))

    with pytest.raises(DamageError, match=name):
        read()
    assert len(seen) == len(kept) // 4_096 == 15
    assert set(rows_of(seen)) < set(kept.tolist())


def test_a_stream_composes_with_webdataset(rich: Store) -> None:
    """As the first stage, with two of webdataset's behind it."""
    import webdataset as wds

    stream = rich.stream(labels="bert", columns=("logits",), batch_size=31)
    predicted = wds.map(lambda batch: (batch["row"], batch["logits"].argmax(axis=1)))
    pairs = list(wds.DataPipeline(stream, predicted, wds.batched(2)))
    batches = list(stream)
    assert len(pairs) == len(batches) / 2
    for number, (rows, predictions) in enumerate(pairs):
        expected = batches[2 * number : 2 * number + 2]
        assert np.array_equal(rows, [batch["row"] for batch in expected])
        assert np.array_equal(predictions, [batch["logits"].argmax(axis=1) for batch in expected])


def test_gold_is_the_label_of_the_latest_round_and_label_stays_the_corpuss() -> None:
    made = make_store(rows=300)
    rows = np.arange(1, 300, 7)
    for source, labels in (("a", rows % 3), ("b", (rows + 1) % 3)):
        add_round(made, Labelled(rows=rows, labels=labels.astype(np.int16), sources=[source] * len(rows)))
    for rounds, shift in ((None, 1), ((0, 1), 0), ((0,), None)):
        for batch in made.stream(columns=("text", "label", "gold"), rounds=rounds, batch_size=64, workers=2):
            for row, own, gold in zip(batch["row"].tolist(), batch["label"], batch["gold"], strict=True):
                label = label_of(row)
                assert own == (-1 if label is None else label)
                assert gold == ((row + shift) % 3 if shift is not None and row % 7 == 1 else own)
            assert (batch["gold"].dtype, len(batch["text"])) == (np.int16, len(batch["row"]))


def test_a_label_set_that_is_not_finished_is_refused_with_the_remedy() -> None:
    made = make_store(rows=50, shards=3, labels=())
    add_labels(made, "bert", shards=[0])
    with pytest.raises(
        StoreMissingError, match=r"lacks 2 of 3 shards \(the first is 1\); `engine label --store .*` finishes it"
    ):
        list(made.stream(labels="bert"))
