"""Records, cards and seals: what is committed, who was first, and what damage to them looks like."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from store.errors import DamageError, MismatchError
from store.manifest import CARD, MANIFEST, Family, Record, data_name, from_json, record_name, to_json
from store.storage import LocalStorage, MemoryStorage, Storage


@pytest.fixture(params=["local", "memory"])
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Family:
    storage: Storage = LocalStorage(tmp_path) if request.param == "local" else MemoryStorage()
    return Family(storage, "labels/bert", 3)


def record(shard: int, sha256: str = "a" * 64) -> Record:
    return Record(
        shard=shard,
        first_row=shard * 10,
        rows=10,
        file=data_name(shard, sha256),
        bytes=99,
        sha256=sha256,
        statistics={"failed": shard, "classes": ["é"]},
    )


def test_names_sort_like_their_shards() -> None:
    assert (record_name(7), data_name(7, "0123456789abcdef99")) == ("00007.json", "00007-0123456789abcdef.arrow")
    assert record_name(123_456) == "123456.json"


def test_json_is_readable_and_the_same_bytes_for_the_same_value() -> None:
    value = {"b": "é", "a": [1, None]}
    assert to_json(value) == to_json(json.loads(to_json(value)))
    assert "é".encode() in to_json(value)
    assert to_json(value).endswith(b"}\n")


def test_a_family_is_named_after_the_last_part_of_its_path(family: Family) -> None:
    assert family.name == "bert"


def test_a_family_that_was_not_begun_is_empty(family: Family) -> None:
    assert family.records() == {}
    assert family.record(0) is None
    assert family.card() is None
    assert family.missing() == [0, 1, 2]
    assert not family.is_sealed()


def test_a_committed_record_is_read_back_equal(family: Family) -> None:
    assert family.commit(record(1)) is True
    assert family.record(1) == record(1)
    assert family.records() == {1: record(1)}
    assert family.missing() == [0, 2]


def test_records_come_in_the_order_of_their_shards(family: Family) -> None:
    for shard in (100_000, 2, 99_999, 0):
        family.commit(record(shard))
    assert list(family.records()) == [0, 2, 99_999, 100_000]


@pytest.mark.parametrize(
    "litter", ["00001-0123456789abcdef.arrow", "1.json", "x00001.json", "00001.json.tmp", "00001.g1.json", "notes.txt"]
)
def test_only_records_are_records(family: Family, litter: str) -> None:
    family.storage.put(f"{family.path}/{litter}", b"not a record")
    assert family.records() == {}
    assert family.missing() == [0, 1, 2]


def test_a_second_commit_of_equal_bytes_says_that_it_was_not_first(family: Family) -> None:
    family.commit(record(0))
    assert family.commit(dataclasses.replace(record(0), statistics={"failed": 99})) is False
    assert family.record(0) == record(0)


def test_a_second_commit_of_other_bytes_is_refused_with_both_hashes(family: Family) -> None:
    family.commit(record(0))
    with pytest.raises(MismatchError, match=f"shard 0 was committed with other bytes .{'a' * 16}, this run made b+.;"):
        family.commit(record(0, "b" * 64))
    assert family.record(0) == record(0)


def test_of_many_commits_one_is_the_first(family: Family) -> None:
    barrier = Barrier(8)

    def commit(_: int) -> bool:
        barrier.wait()
        return family.commit(record(2))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(commit, range(8))) == [False] * 7 + [True]


def test_the_first_card_holds(family: Family) -> None:
    assert family.freeze_card({"model": "one"}) == {"model": "one"}
    assert family.freeze_card({"model": "two"}) == {"model": "one"}
    assert family.card() == {"model": "one"}


def commit_all(family: Family) -> None:
    for shard in range(family.shards):
        family.commit(record(shard))


def test_a_family_is_sealed_only_when_all_shards_are_there(family: Family) -> None:
    for shard in (0, 2):
        family.commit(record(shard))
        assert family.seal() is False
        assert not family.is_sealed()
    family.commit(record(1))
    assert family.seal() is True
    assert family.is_sealed()


def test_a_sealed_family_reads_the_same_and_seals_again_without_a_change(family: Family) -> None:
    commit_all(family)
    before = family.records()
    family.seal()
    manifest = family.storage.read(f"{family.path}/{MANIFEST}").to_pybytes()
    assert family.records() == before
    assert list(family.records()) == [0, 1, 2]
    assert family.seal() is True
    assert family.storage.read(f"{family.path}/{MANIFEST}").to_pybytes() == manifest


def test_the_manifest_lists_every_record_and_the_hash_of_the_card(family: Family) -> None:
    family.freeze_card({"model": "é", "threads": 2})
    commit_all(family)
    family.seal()
    manifest = from_json(family.storage, f"{family.path}/{MANIFEST}")
    card = family.storage.read(f"{family.path}/{CARD}").to_pybytes()
    assert manifest["card_sha256"] == hashlib.sha256(card).hexdigest()
    assert manifest["records"] == [dataclasses.asdict(record(shard)) for shard in range(3)]


def test_the_manifest_of_a_family_without_a_card_says_so(family: Family) -> None:
    commit_all(family)
    family.seal()
    assert from_json(family.storage, f"{family.path}/{MANIFEST}")["card_sha256"] is None


def test_a_sealed_family_needs_no_record_files(tmp_path: Path) -> None:
    family = Family(LocalStorage(tmp_path), "corpus", 3)
    commit_all(family)
    family.seal()
    for shard in range(3):
        (tmp_path / "corpus" / record_name(shard)).unlink()
    assert list(family.records()) == [0, 1, 2]


UNREADABLE = [b"", b"{", b"\xff\xfe", b"not json", b'{"shard": 0', to_json(record(0).__dict__)[:-9]]


@pytest.mark.parametrize("data", UNREADABLE)
@pytest.mark.parametrize("name", ["00000.json", MANIFEST])
def test_what_is_not_json_is_damage_and_named(family: Family, name: str, data: bytes) -> None:
    family.storage.put(f"{family.path}/{name}", data)
    with pytest.raises(DamageError, match=f"labels/bert/{name} is damaged"):
        family.records()


NO_RECORD = [b"{}", b"[]", b"null", b"7", b'"x"', b'{"shard": 0}', to_json({**record(0).__dict__, "more": 1})]


@pytest.mark.parametrize("data", NO_RECORD)
def test_json_that_is_no_record_is_damage_and_named(family: Family, data: bytes) -> None:
    family.storage.put(f"{family.path}/00000.json", data)
    asks: list[Callable[[], object]] = [family.records, lambda: family.record(0), lambda: family.commit(record(0))]
    for ask in asks:
        with pytest.raises(DamageError, match=r"labels/bert/00000\.json is not a record"):
            ask()


@pytest.mark.parametrize("data", [b"{}", b"[]", b"null", b'{"records": null}', b'{"records": {"shard": 0}}'])
def test_json_that_is_no_manifest_is_damage_and_named(family: Family, data: bytes) -> None:
    family.storage.put(f"{family.path}/{MANIFEST}", data)
    with pytest.raises(DamageError, match=r"labels/bert/manifest\.json is not a manifest"):
        family.records()


@pytest.mark.parametrize("entry", [b"null", b"{}", b"0", b'{"shard": 0}'])
def test_a_manifest_with_an_entry_that_is_no_record_is_damage(family: Family, entry: bytes) -> None:
    family.storage.put(f"{family.path}/{MANIFEST}", b'{"records": [' + entry + b"]}")
    with pytest.raises(DamageError, match=r"manifest\.json is not a record"):
        family.records()
