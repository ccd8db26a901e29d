"""Selections, calibrations and rounds of gold of a store to which rows are appended: they hold for what they saw."""

import numpy as np
import pytest
from store_factory import add_labels, append_rows, calibration_at, make_store, random_logits, repair_labels

import store
from store import Store
from store.errors import MismatchError, StoreExistsError, StoreMissingError
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration, rows_calibrated, usable_calibration
from store.gold.fingerprint import appended_since, fingerprint, rows_then
from store.selections.export_rows import SelectedRows
from store.selections.selection import class_counts, selections
from store.verify.verify import verify

ROWS = 50


@pytest.fixture
def made() -> Store:
    return make_store(rows=ROWS, shards=3)


def relabel(grown: Store) -> None:
    """Make the labels that are missing; those before are as they were."""
    logits = np.concatenate([random_logits(ROWS), random_logits(grown.layout.rows - ROWS, seed=9)])
    add_labels(grown, "bert", logits=logits, shards=grown.label_set("bert").missing())
    grown.label_set("bert").seal()


def round_of(*rows: int) -> Labelled:
    return Labelled(rows=np.array(rows), labels=np.ones(len(rows), np.int16), sources=["me"] * len(rows))


@pytest.mark.parametrize("labelled", [False, True])
def test_a_selection_holds_for_the_rows_that_it_saw(made: Store, labelled: bool) -> None:
    before = made.select("sure", where="confidence > 0.7", labels="bert")
    grown = append_rows(made, rows=20, shards=2)
    if labelled:
        relabel(grown)
    held = grown.selection("sure")
    assert held == before
    assert held.card == before.card
    assert sum(row["selected"] for row in class_counts(grown, held)) == len(before.rows)
    assert [batch.column("row").to_pylist() for batch in SelectedRows(grown, held)] == [before.rows.numbers().tolist()]
    batches = list(grown.stream(select="sure", columns=("text",), batch_size=8))
    assert sorted(np.concatenate([batch["row"] for batch in batches])) == before.rows.numbers().tolist()
    assert not [finding for finding in verify(grown.storage) if finding.is_damage]


def test_labels_that_change_before_the_appended_rows_still_make_it_stale(made: Store) -> None:
    made.select("sure", where="confidence > 0.7", labels="bert")
    grown = append_rows(made)
    relabel(grown)
    repair_labels(grown, "bert", shard=3, seed=5)
    assert grown.selection("sure").name == "sure"
    repair_labels(grown, "bert", shard=1, seed=5)
    with pytest.raises(MismatchError, match="'sure' of .* was made from labels/bert when its fingerprint was"):
        grown.selection("sure")
    assert [finding.file for finding in verify(grown.storage) if finding.is_damage] == ["selections/sure.json"]


def test_a_selection_of_now_is_of_all_rows_and_needs_all_labels(made: Store) -> None:
    old = made.select("old", where="confidence > 0.7", labels="bert")
    grown = append_rows(made, rows=20)
    with pytest.raises(StoreMissingError, match="labels/bert lacks 1 of 4 shards"):
        grown.select("new", where="confidence > 0.7", labels="bert")
    with pytest.raises(StoreMissingError, match="labels/bert lacks 1 of 4 shards"):
        grown.select("both", and_=("old",))
    relabel(grown)
    new = grown.select("new", where="confidence > 0.7", labels="bert")
    assert new.rows.size == 70
    assert new.rows.numbers()[: len(old.rows)].tolist() == old.rows.numbers().tolist()
    both = grown.select("both", and_=("old", "new"))
    assert both.rows.numbers().tolist() == old.rows.numbers().tolist()
    assert both.sources["labels/bert"] == fingerprint(grown, "labels/bert") != old.sources["labels/bert"]
    rest = grown.select("rest", not_=("old",))
    assert set(rest.rows.numbers()) == set(range(70)) - set(old.rows.numbers())
    assert grown.select("either", or_=("old", "new")).rows == new.rows
    again = append_rows(grown, rows=5)
    relabel(again)
    assert [again.selection(name).rows.size for name in selections(again)] == [70, 70, 70, 50, 70]


def test_the_same_words_after_rows_were_appended_are_another_selection(made: Store) -> None:
    old = made.select("first", where="row < 5")
    assert made.select("first", where="row < 5") == old
    grown = append_rows(made, rows=5)  # so few that the bits are as many
    relabel(grown)
    with pytest.raises(
        StoreExistsError, match="of 5 rows, made before rows 50 to 54 were appended, and this one has 5"
    ):
        grown.select("first", where="row < 5")
    assert grown.selection("first") == old


def test_gold_that_comes_later_counts_where_it_labels_rows_that_were_seen(made: Store) -> None:
    add_round(made, round_of(3, 4))
    made.select("gold", where="gold IS NOT NULL", labels="bert")
    grown = append_rows(made, rows=20)
    add_round(grown, round_of(55, 60))
    assert grown.selection("gold").rows.size == ROWS
    relabel(grown)
    held = {
        row["row"]: row["gold"] for row in grown.sql("SELECT row, gold FROM reviews WHERE gold_round > 0").to_pylist()
    }
    assert held == dict.fromkeys((3, 4, 55, 60), 1)
    add_round(grown, round_of(7, 61))
    with pytest.raises(MismatchError, match="was made from gold when its fingerprint was"):
        grown.selection("gold")


def test_a_calibration_holds_for_the_labels_that_it_saw(made: Store) -> None:
    first = add_calibration(made, calibration_at(1.5, made=made))
    grown = append_rows(made, rows=20, shards=2)
    assert usable_calibration(grown, "bert") == first
    assert rows_calibrated(grown, first) == ROWS
    with pytest.raises(StoreMissingError, match="lacks 2 of 5 shards"):
        calibration_at(2.5, made=grown)
    relabel(grown)
    assert usable_calibration(grown, "bert") == first
    second = add_calibration(grown, calibration_at(2.5, made=grown))
    assert (second.number, rows_calibrated(grown, second)) == (2, 70)
    repair_labels(grown, "bert", shard=4, seed=5)
    assert usable_calibration(grown, "bert", 1) == first
    with pytest.raises(MismatchError, match="has changed since calibration 2 was made"):
        usable_calibration(grown, "bert")
    repair_labels(grown, "bert", shard=0, seed=5)
    with pytest.raises(MismatchError, match="has changed since calibration 1 was made"):
        usable_calibration(grown, "bert", 1)


def test_a_fingerprint_tells_how_many_rows_there_were(made: Store) -> None:
    fingerprints = [fingerprint(made, "corpus")]
    for number in range(1, 4):
        append_rows(made, rows=number, shards=1)
        fingerprints.append(fingerprint(store.open(made.storage), "corpus"))
    grown = store.open(made.storage)
    assert [rows_then(grown, "corpus", then) for then in fingerprints] == [50, 51, 53, 56]
    assert [fingerprint(grown.as_of(rows), "corpus") for rows in (50, 51, 53, 56)] == fingerprints
    assert rows_then(grown, "corpus", "0" * 64) is None
    assert rows_then(grown, "labels/bert", fingerprint(made, "labels/bert")) == 50
    assert rows_then(grown, "labels/none", None) is None
    assert [appended_since(grown, rows) for rows in (50, 55, 56)] == [
        "rows 50 to 55 were appended", "row 55 was appended", None,
    ]  # fmt: skip
