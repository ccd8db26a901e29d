"""A store that is memoised for one operation: how often it reads, and what it sees all the same."""

from collections.abc import Iterator

import numpy as np
import pytest
from counting import CountingStorage
from store_factory import add_corpus, add_labels, change_bytes, make_store, repair_labels

from store.errors import DamageError
from store.gold.add_round import Labelled, add_round
from store.gold.fingerprint import fingerprint
from store.rows.family_reader import failed_rows
from store.snapshot import Snapshot
from store.sql.questions import ready
from store.sql.session import query
from store.store import Store
from store.summary import summarise


@pytest.fixture
def storage() -> CountingStorage:
    return CountingStorage()


def unsealed(storage: CountingStorage) -> Store:
    made = make_store(storage, labels=(), encodings=("words",))
    add_labels(made, "one", seed=1)
    add_labels(made, "two", seed=2, failed=[3])
    storage.reads.clear()
    return made


def ask_everything(snapshot: Snapshot) -> Iterator[object]:
    """As an audit, a report or a training does."""
    yield summarise(snapshot)
    for name in ("agreement", "accuracy"):
        yield query(snapshot, ready(snapshot, name, labels="one").sql, labels="one")
    yield query(snapshot, "SELECT count(*), avg(confidence) FROM labels")
    for path in ("labels/one", "labels/two", "corpus"):
        yield fingerprint(snapshot, path)
    yield failed_rows(snapshot, "two")
    yield snapshot.family("tokens/words").missing()


def test_one_pass_of_questions_reads_each_record_at_most_once(storage: CountingStorage) -> None:
    made = unsealed(storage)
    assert len(list(ask_everything(made.memoised()))) == 9
    counts = storage.records_read()
    assert {name.split("/")[1] for name in counts if name.startswith("labels")} == {"one", "two"}
    assert max(counts.values()) == 1
    assert storage.reads["labels/one/card.json"] <= 3  # whether it is there, and all of it; and by another's question


def test_without_it_they_are_read_again_and_again(storage: CountingStorage) -> None:
    made = unsealed(storage)
    list(ask_everything(made))
    assert max(storage.records_read().values()) >= 4


def test_a_sealed_familys_manifest_is_parsed_once(storage: CountingStorage) -> None:
    made = make_store(storage)
    storage.reads.clear()
    view = made.memoised()
    for _ in range(5):
        assert view.label_set("bert").missing() == []
        assert view.label_set("bert").is_sealed()
    assert storage.reads["labels/bert/manifest.json"] == 2  # whether it is whole, and what it says
    assert not storage.records_read()


def test_what_is_missing_sealing_and_the_summary_read_each_record_once(storage: CountingStorage) -> None:
    made = unsealed(storage)
    labels = made.memoised().label_set("two")
    assert labels.missing() == []
    assert labels.seal()
    assert sum(record.statistics["failed"] for record in labels.records().values()) == 1
    assert set(storage.records_read().values()) == {1}


def test_shards_that_another_commits_are_seen(storage: CountingStorage) -> None:
    made = make_store(storage, labels=())
    view = made.memoised()
    add_labels(made, "late", shards=[1])
    labels = view.label_set("late")
    assert view.label_sets() == ["late"]
    assert labels.missing() == [0, 2]
    add_labels(made, "late", shards=[0])
    assert labels.missing() == [2]
    assert labels.record(0) is not None
    assert labels.record(2) is None
    add_labels(made, "late", shards=[2])
    assert labels.record(2) is not None
    assert view.label_set("late").missing() == []
    made.label_set("late").seal()
    assert labels.is_sealed()


def test_a_card_that_is_frozen_later_is_seen(storage: CountingStorage) -> None:
    made = make_store(storage, labels=())
    labels = made.memoised().label_set("late")
    assert labels.card() is None
    made.label_set("late").freeze_card({"model": "m"})
    assert labels.card() == {"model": "m"}


def test_a_record_that_was_cut_short_is_seen_when_it_is_whole(storage: CountingStorage) -> None:
    made = make_store(storage, labels=())
    add_labels(made, "bert")
    name = "labels/bert/00001.json"
    whole = storage.read(name).to_pybytes()
    storage.put(name, whole[:40])
    labels = made.memoised().label_set("bert")
    assert labels.missing() == [1]
    storage.put(name, whole)
    assert labels.missing() == []


def test_a_later_generation_is_seen(storage: CountingStorage) -> None:
    made = make_store(storage)
    labels = made.memoised().label_set("bert")
    before = labels.records()
    repair_labels(made, "bert", shard=1, seed=9)
    assert labels.records()[1].sha256 != before[1].sha256
    assert labels.record(1) == labels.records()[1]


def test_a_new_round_of_gold_is_seen(storage: CountingStorage) -> None:
    made = make_store(storage)
    view = made.memoised()
    assert view.family("gold").records() == {}
    add_round(made, Labelled(rows=np.array([3]), labels=np.array([1], np.int16), sources=["me"]))
    assert list(view.family("gold").records()) == [1]


def test_a_store_that_stays_open_sees_damage_and_a_view_of_it_does_not(storage: CountingStorage) -> None:
    made = make_store(storage, labels=())
    add_labels(made, "bert")
    view = made.memoised()
    kept = view.label_set("bert").records()
    change_bytes(storage, "labels/bert/00001.json", b'"rows": 17', b'"rows": 18')
    assert view.label_set("bert").records() == kept
    with pytest.raises(DamageError):
        made.label_set("bert").records()
    with pytest.raises(DamageError):
        made.memoised().label_set("bert").records()


def test_a_repair_reads_what_is_there_even_in_a_view(storage: CountingStorage) -> None:
    made = make_store(storage, labels=())
    add_labels(made, "bert")
    view = made.memoised()
    record = view.label_set("bert").records()[1]
    change_bytes(storage, "labels/bert/00001.json", b'"rows": 17', b'"rows": 18')
    assert view.label_set("bert").for_repair().commit(record) is True
    assert made.label_set("bert").records()[1] == record


def test_a_view_of_a_view_is_the_same(storage: CountingStorage) -> None:
    made = make_store(storage, labels=())
    add_corpus(made)
    view = made.memoised()
    assert isinstance(view, Store)
    assert view.memoised() is view is not made
