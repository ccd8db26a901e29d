"""The small files of rows that were appended: read in order, created once, and what stops programs that know none."""

import dataclasses
import json
import time
from typing import Any

import pytest
from store_factory import EXTRAS, NoWaitStorage, add_corpus, add_labels, flip_bit, make_store

import store
from store import Store
from store.errors import DamageError
from store.format.decode import decode
from store.format.header import create_header, read_header
from store.format.json_file import copy_name, from_json, to_json
from store.format.record import Record
from store.format.record_files import manifest_name, segment_of_manifest
from store.format.segments import (
    GUARD,
    SegmentRecord,
    append_segment,
    begun_segments,
    is_guarded,
    read_segments,
    segment_name,
    segment_of,
)
from store.storage import MemoryStorage, Storage

REJECTS = {"file": "00001-0123456789abcdef.arrow", "rows": 0, "bytes": 1, "sha256": "0" * 64}


def next_segment(made: Store, rows: int = 5, shards: int = 2, **changes: Any) -> SegmentRecord:
    entry = {"path": f"{len(made.header.segments)}.csv", "size": 9, "sha256": "0" * 64, "rows": rows, "rejected": 0}
    values = {
        "segment": len(made.header.segments),
        "first_row": made.layout.rows,
        "rows": rows,
        "first_shard": made.layout.shards,
        "shards": shards,
        "extras": {name: str(type_) for name, type_ in EXTRAS.items()},
        "inputs": [entry],
        "rejects": REJECTS,
    }
    return SegmentRecord(**{**values, **changes})


def grow(storage: Storage, *sizes: tuple[int, int]) -> Store:
    for rows, shards in sizes:
        assert append_segment(storage, next_segment(store.open(storage), rows, shards))
    return store.open(storage)


@pytest.fixture
def made() -> Store:
    return make_store(rows=10, shards=2)


def test_segments_are_read_in_order_with_the_header(made: Store) -> None:
    assert read_segments(made.storage) == []
    grown = grow(made.storage, (5, 2), (7, 1))
    assert [(one.first_row, one.rows, one.first_shard, one.shards) for one in grown.layout.segments] == [
        (0, 10, 0, 2), (10, 5, 2, 2), (15, 7, 4, 1),
    ]  # fmt: skip
    assert grown.header.appended == read_segments(made.storage)
    assert (made.header.version, grown.header.version, grown.header.format_version) == (1, 2, 1)
    assert from_json(made.storage, "segments/00002.json") == from_json(made.storage, "segments/00002.copy.json")
    assert [one.segment for one in grown.header.segments] == [0, 1, 2]
    assert grown.layout.shard_ranges == (range(2), range(2, 4), range(4, 5))


def test_the_header_stays_as_it_is(made: Store) -> None:
    before = made.storage.read("store.json").to_pybytes()
    grown = grow(made.storage, (5, 2))
    assert create_header(made.storage, grown.header) == grown.header
    assert made.storage.read("store.json").to_pybytes() == before
    assert "appended" not in json.loads(before)
    made.storage.put("store.json", to_json({**from_json(made.storage, "store.json"), "appended": []}))
    with pytest.raises(DamageError, match="has 'appended', which this version does not know"):
        read_header(made.storage)


def test_the_first_of_one_number_stays_and_an_equal_one_is_the_same(made: Store) -> None:
    one, other = next_segment(made), next_segment(made, rows=6)
    assert append_segment(made.storage, one)
    assert append_segment(made.storage, one)
    assert not append_segment(made.storage, other)
    assert read_segments(made.storage) == [one]


def test_one_that_is_being_created_is_not_there_and_is_completed(made: Store) -> None:
    segment = next_segment(made)
    data = to_json(dataclasses.asdict(segment))
    for length in (0, 40, len(data) - 1):
        made.storage.put(segment_name(1), data[:length])
        assert store.open(made.storage).header == made.header
    assert append_segment(made.storage, segment)
    assert read_segments(made.storage) == [segment]


def test_a_copy_speaks_for_one_that_is_lost(made: Store) -> None:
    grown = grow(made.storage, (5, 2), (5, 2))
    made.storage.remove_dead("segments/00001.json")
    assert store.open(made.storage).header == grown.header
    made.storage.remove_dead("segments/00001.copy.json")
    with pytest.raises(DamageError, match=r"segments/00001\.json is lost or damaged, and so is its copy"):
        store.open(made.storage)


WRONG = {
    "another number": ({"segment": 2}, "is that of segment 2 of format version 2"),
    "another version": ({"format_version": 3}, "is that of segment 1 of format version 3"),
    "other rows before": ({"first_row": 9}, "begins with row 9 and shard 2, and row 10 and shard 2 come next"),
    "other shards before": ({"first_shard": 1}, "begins with row 10 and shard 1, and row 10 and shard 2 come next"),
    "no shards": ({"shards": 0}, "it has 5 rows from 10, in 0 shards"),
    "a type of nobody": ({"extras": {"a": "words"}}, "which is no type of Arrow"),
    "another type": ({"extras": {"stars": "string"}}, "keeps 'stars' as string, and another as int64"),
    "no inputs": ({"inputs": None}, "inputs is None"),
}


@pytest.mark.parametrize(("changes", "problem"), WRONG.values(), ids=WRONG)
def test_one_that_cannot_be_is_damage(made: Store, changes: dict[str, Any], problem: str) -> None:
    value = {**dataclasses.asdict(next_segment(made)), **changes}
    made.storage.put(segment_name(1), to_json(value))
    with pytest.raises(DamageError, match=rf"segments/00001\.json is damaged: .*{problem}"):
        store.open(made.storage)


def test_a_flipped_bit_is_damage(made: Store) -> None:
    grow(made.storage, (5, 2))
    flip_bit(made.storage, "segments/00001.json", 555)
    with pytest.raises(DamageError, match=r"segments/00001\.json is damaged"):
        store.open(made.storage)


def test_other_names_are_no_segments() -> None:
    names = [
        "00001.json",
        "00002.copy.json",
        "100000.json",
        "00000.json",
        "000003.json",
        "00004-0.arrow",
        "a",
        "1.json",
    ]
    assert [segment_of(name) for name in names] == [1, 2, 100000, None, None, None, None, None]
    storage = MemoryStorage()
    for name in names:
        storage.put(f"segments/{name}", b"")
    assert begun_segments(storage) == [1, 2, 100000]


def test_manifests_have_the_numbers_of_their_segments() -> None:
    names = ["manifest.json", "manifest-00001.json", "manifest-100000.json", "manifest-1.json", "manifest-00000.json"]
    assert [segment_of_manifest(name) for name in names] == [0, 1, 100000, None, None]
    assert [manifest_name(number) for number in (0, 1, 100000)] == names[:3]


def test_a_family_is_sealed_segment_by_segment(made: Store) -> None:
    sealed = made.storage.read("labels/bert/manifest.json").to_pybytes()
    grown = grow(made.storage, (5, 2), (4, 1))
    labels = grown.label_set("bert")
    assert (labels.is_sealed(), labels.missing(), labels.seal()) == (False, [2, 3, 4], False)
    for shards in ([4], [2, 3]):
        for shard in shards:
            first, stop = grown.layout.range_of(shard)
            fake = Record(
                shard=shard, first_row=first, rows=stop - first, file=f"{shard:05d}-{'a' * 16}.arrow", bytes=1, sha256="a" * 64
            )  # fmt: skip
            assert labels.commit(fake)
        assert labels.seal() is (shards == [2, 3])
    assert labels.is_sealed()
    assert [record["shard"] for record in from_json(made.storage, "labels/bert/manifest-00001.json")["records"]] == [
        2,
        3,
    ]
    assert [record["shard"] for record in from_json(made.storage, "labels/bert/manifest-00002.json")["records"]] == [4]
    assert made.storage.read("labels/bert/manifest.json").to_pybytes() == sealed
    for shard in range(5):
        made.storage.remove_dead(f"labels/bert/{shard:05d}.json")
    assert list(labels.records()) == [0, 1, 2, 3, 4]
    assert [record.shard for shard in range(5) if (record := labels.record(shard))] == [0, 1, 2, 3, 4]
    assert list(grown.as_of(15).label_set("bert").records()) == [0, 1, 2, 3]
    assert list(made.label_set("bert").records()) == [0, 1]


def test_records_of_rows_that_were_appended_later_are_passed_over() -> None:
    made = make_store(rows=10, shards=2, labels=())
    add_labels(made, "late", shards=[0])
    before = made.label_set("late").records()
    record = dataclasses.asdict(before[0])
    beyond = {**record, "shard": 2, "first_row": 10, "file": record["file"].replace("00000", "00002")}
    for name in ("00002.json", "00002.g1.json"):
        made.storage.put(f"labels/late/{name}", to_json(beyond))
    assert made.label_set("late").records() == before
    assert made.label_set("late").missing() == [1]


# programs that know version 1 alone


def test_a_program_that_knows_version_1_alone_cannot_read_the_texts(made: Store) -> None:
    assert not is_guarded(made.storage)
    grow(made.storage, (5, 2))
    assert is_guarded(made.storage)
    with pytest.raises(
        DamageError,
        match=r"it has 'rows were appended \(format version 2\): update this program', which this version does not know",
    ):
        decode(Record, from_json(made.storage, GUARD), place=GUARD)
    name = GUARD.rpartition("/")[2]
    old = made.corpus.__class__(made.storage, "corpus", 2)  # as that version had it: any record counts
    assert name in made.storage.list("corpus")
    with pytest.raises(DamageError, match="update this program"):
        old.records()
    assert list(made.corpus.records()) == [0, 1]


def test_what_stops_them_is_there_before_the_first_segment_and_is_mended(made: Store) -> None:
    made.storage.put(GUARD, b"something else\n}\n")
    grow(made.storage, (5, 2))
    assert is_guarded(made.storage)


# many


def test_a_store_of_500_segments_opens_within_a_second(tmp_path) -> None:
    made = make_store(NoWaitStorage(tmp_path), rows=20, shards=2, labels=())
    header = made.header
    for number in range(1, 501):
        segment = next_segment(Store(made.storage, header), 3, 1)
        for name in (segment_name(number), copy_name(segment_name(number))):
            made.storage.put(name, to_json(dataclasses.asdict(segment)))
        header = dataclasses.replace(header, appended=[*header.appended, segment])
    started = time.perf_counter()
    grown = store.open(tmp_path)
    assert time.perf_counter() - started < 1
    assert (grown.layout.rows, grown.layout.shards) == (1520, 502)
    add_corpus(made)
    assert grown.corpus.missing() == list(range(2, 502))
