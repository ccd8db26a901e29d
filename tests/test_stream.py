"""Batches of arrays: every row once, aligned with what was written, and resumed to the row."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import (
    add_corpus,
    add_labels,
    add_tokens,
    label_of,
    make_store,
    random_logits,
    text_of,
    token_ids,
    write_header,
)

from store import Store
from store.errors import DamageError, StoreMissingError
from store.order import BLOCK_ROWS, WINDOW_BLOCKS
from store.stream import Batch, Stream, StreamConfig, failed_rows

WINDOW = BLOCK_ROWS * WINDOW_BLOCKS
MANY = 2 * WINDOW + 12_345
FAILED = [0, 63, 64, 499]


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
