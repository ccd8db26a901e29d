"""What ``engine info`` prints."""

import json

import pytest
from store_factory import CLASSES, add_corpus, add_labels, make_store, write_header

from store.storage import MemoryStorage
from store.summary import summarise


def test_a_finished_store_in_one_record() -> None:
    made = make_store(rows=50, labels=["bert"], encodings=["words-8-right"])
    summary = summarise(made)
    names = ("store", "format_version", "rows", "rejected", "shards", "classes", "extras")
    expected = [made.location, 1, 50, 2, 3, CLASSES, {"stars": "int64", "Café": "string"}]
    assert [summary[name] for name in names] == expected
    assert summary["inputs"] == [{"path": "in.csv", "rows": 52, "rejected": 2, "size": 9, "sha256": "0" * 64}]
    paths = ["corpus", "tokens/words-8-right", "labels/bert"]
    assert [family["family"] for family in summary["families"]] == paths
    for family in summary["families"]:
        assert (family["shards"], family["of"], family["rows"], family["sealed"]) == (3, 3, 50, True)
        records = made.family(family["family"]).records().values()
        assert family["bytes"] == sum(record.bytes for record in records) > 0


def test_an_unfinished_family_says_how_far_it_is_and_what_failed() -> None:
    made = write_header(rows=50)
    add_corpus(made)
    add_labels(made, "bert", shards=[0, 2], failed=[1, 2, 20, 40])
    family = summarise(made)["families"][-1]
    assert (family["shards"], family["of"], family["rows"], family["failed"]) == (2, 3, 33, 3)
    assert family["sealed"] is False


def test_a_family_shows_its_card() -> None:
    summary = summarise(make_store(labels=["bert"]))
    corpus, labels = summary["families"]
    assert (labels["model"], labels["encoding"], labels["max_length"]) == ("test/bert", "words-8-right", 8)
    assert (labels["device"], labels["dtype"]) == ("cpu", None)
    assert corpus["model"] is None


@pytest.mark.parametrize("rows", [1, 50])
def test_a_summary_is_json(rows: int) -> None:
    summary = summarise(make_store(rows=rows))
    assert json.loads(json.dumps(summary)) == summary


def test_a_summary_reads_no_data_file() -> None:
    storage = MemoryStorage()
    made = make_store(storage)
    before = summarise(made)
    for path in ("corpus", "labels/bert"):
        for record in made.family(path).records().values():
            storage.put(f"{path}/{record.file}", b"gone")
    assert summarise(made) == before
