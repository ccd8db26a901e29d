"""Records, cards and seals: what is committed, who was first, and what damage to them looks like."""

import dataclasses
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from store_factory import NoWaitStorage, change_bytes, flip_bit, with_check

from store.errors import DamageError, MismatchError
from store.format.family import Family
from store.format.json_file import from_json, to_json
from store.format.names import CARD
from store.format.record import Record, data_name, record_name, record_of
from store.format.record_files import MANIFEST
from store.storage import LocalStorage, MemoryStorage, Storage


@pytest.fixture(params=["local", "memory"])
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Family:
    storage: Storage = NoWaitStorage(tmp_path) if request.param == "local" else MemoryStorage()
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
    assert (record_name(7, 1), record_name(123_456, 12)) == ("00007.g1.json", "123456.g12.json")


@pytest.mark.parametrize("shard", [0, 7, 99_999, 100_000])
@pytest.mark.parametrize("generation", [0, 1, 9, 10])
def test_a_name_says_shard_and_generation(shard: int, generation: int) -> None:
    assert record_of(record_name(shard, generation)) == (shard, generation)


NO_RECORD_NAMES = [
    "00001-0123456789abcdef.arrow",
    "1.json",
    "x00001.json",
    "00001.json.tmp",
    "00001.copy.json",
    "00001.g0.json",
    "00001.g01.json",
    "00001.g.json",
    "00001.g-1.json",
    "00001.g1.g2.json",
    "00001.G1.json",
    "000001.json",
    "000001.g1.json",
    "00001.json\n",
    "٠٠٠٠١.json",
    "notes.txt",
    "card.json",
    "card.copy.json",
]


@pytest.mark.parametrize("name", NO_RECORD_NAMES)
def test_other_names_are_no_records(name: str) -> None:
    assert record_of(name) is None


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


@pytest.mark.parametrize("litter", [name for name in NO_RECORD_NAMES if name != "00001.json\n"])
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
    assert [family.record(shard) for shard in range(3)] == [record(shard) for shard in range(3)]


def bytes_of(record: Record) -> bytes:
    return to_json(dataclasses.asdict(record))


def asks(family: Family) -> list[Callable[[], object]]:
    return [family.records, family.missing, lambda: family.record(0), lambda: family.commit(record(0))]


@pytest.mark.parametrize("length", [0, 1, 90, len(bytes_of(record(0))) - 1])
def test_a_record_that_was_cut_short_is_not_committed_and_an_equal_one_completes_it(
    family: Family, length: int
) -> None:
    family.storage.put(f"{family.path}/00000.json", bytes_of(record(0))[:length])
    assert family.records() == {}
    assert family.record(0) is None
    assert family.missing() == [0, 1, 2]
    assert family.commit(record(0)) is True
    assert family.record(0) == record(0)
    assert family.storage.read(f"{family.path}/00000.json").to_pybytes() == bytes_of(record(0))


def test_a_record_that_was_cut_short_was_never_there_for_one_of_other_bytes_either(family: Family) -> None:
    family.storage.put(f"{family.path}/00000.json", bytes_of(record(0))[:-40])
    assert family.commit(record(0, "b" * 64)) is True
    assert family.record(0) == record(0, "b" * 64)


def test_in_a_sealed_family_a_record_that_was_cut_short_is_still_listed(family: Family) -> None:
    commit_all(family)
    family.seal()
    family.storage.put(f"{family.path}/00000.json", bytes_of(record(0))[:-40])
    with pytest.raises(MismatchError, match="shard 0 was committed with other bytes"):
        family.commit(record(0, "b" * 64))
    assert family.commit(record(0)) is False
    assert family.record(0) == record(0)


UNREADABLE = [
    b'\xff\xfe"\n}\n',
    b"x" * 900 + b'"\n}\n',
    bytes_of(record(0)).replace(b'"rows": 10', b'"rows": 11'),
    dataclasses.replace(record(0)).__repr__().encode() + b'",\n "check": "' + b"0" * 64 + b'"\n}\n',
    with_check(b"[1"),
    with_check(b"null"),
]


@pytest.mark.parametrize("data", UNREADABLE)
def test_what_is_not_as_its_check_says_is_damage_and_named(family: Family, data: bytes) -> None:
    family.storage.put(f"{family.path}/00000.json", data)
    for ask in asks(family):
        with pytest.raises(DamageError, match=r"labels/bert/00000\.json is damaged"):
            ask()


@pytest.mark.parametrize("data", UNREADABLE)
def test_a_manifest_that_is_not_as_its_check_says_is_damage_and_named(family: Family, data: bytes) -> None:
    family.storage.put(f"{family.path}/{MANIFEST}", data)
    for ask in (family.records, family.missing, family.seal):
        with pytest.raises(DamageError, match=r"labels/bert/manifest\.json is damaged"):
            ask()


def test_a_flipped_bit_anywhere_in_a_record_is_damage() -> None:
    """Were it taken for torn, a committed shard would be written again."""
    family = Family(MemoryStorage(), "labels/bert", 3)
    family.commit(record(0))
    whole = bytes_of(record(0))
    for position in range(len(whole)):
        flip_bit(family.storage, f"{family.path}/00000.json", position)
        with pytest.raises(DamageError, match=r"labels/bert/00000\.json is"):
            family.record(0)
        family.storage.put(f"{family.path}/00000.json", whole)


@pytest.mark.parametrize("value", [{"shard": 0}, {**record(0).__dict__, "more": 1}, {**record(0).__dict__, "rows": -1}])
def test_json_that_is_no_record_is_damage_and_named(family: Family, value: dict[str, object]) -> None:
    family.storage.put(f"{family.path}/00000.json", to_json(value))
    for ask in asks(family):
        with pytest.raises(DamageError, match=r"labels/bert/00000\.json is damaged"):
            ask()


@pytest.mark.parametrize("value", [{"card_sha256": None}, {"records": None}, {"records": {"shard": 0}}])
def test_json_that_is_no_manifest_is_damage_and_named(family: Family, value: dict[str, object]) -> None:
    family.storage.put(f"{family.path}/{MANIFEST}", to_json(value))
    with pytest.raises(DamageError, match=r"labels/bert/manifest\.json is damaged: (it has no records|records is )"):
        family.records()


@pytest.mark.parametrize("entry", [None, {}, 0, {"shard": 0}, [1], "x"])
def test_a_manifest_with_an_entry_that_is_no_record_is_damage(family: Family, entry: object) -> None:
    family.storage.put(f"{family.path}/{MANIFEST}", to_json({"records": [entry]}))
    with pytest.raises(DamageError, match=r"manifest\.json is damaged: records\[0\]"):
        family.records()


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_manifest_that_was_cut_short_is_not_there_and_is_completed(family: Family, keep: float) -> None:
    commit_all(family)
    family.seal()
    whole = family.storage.read(f"{family.path}/{MANIFEST}").to_pybytes()
    family.storage.put(f"{family.path}/{MANIFEST}", whole[: int(len(whole) * keep)])
    assert not family.is_sealed()
    assert list(family.records()) == [0, 1, 2]
    assert family.seal() is True
    assert family.storage.read(f"{family.path}/{MANIFEST}").to_pybytes() == whole


def test_a_card_that_was_cut_short_is_not_there_and_is_completed(family: Family) -> None:
    family.storage.put(f"{family.path}/{CARD}", to_json({"model": "one"})[:-5])
    assert family.card() is None
    assert family.freeze_card({"model": "one"}) == family.card() == {"model": "one"}


def test_a_card_is_kept_twice(family: Family) -> None:
    family.freeze_card({"model": "one"})
    assert from_json(family.storage, f"{family.path}/card.copy.json") == {"model": "one"}
    assert family.records() == {}


# Generations: a shard that was damaged and made again.

A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture(params=["sealed", "unsealed"])
def repairing(request: pytest.FixtureRequest, family: Family) -> Family:
    """A family of three shards which is under repair."""
    commit_all(family)
    if request.param == "sealed":
        family.seal()
    return family.for_repair()


def held(family: Family) -> list[str]:
    """The hash of each shard's record, which `records` and `record` and another reader agree on."""
    found = family.records()
    assert list(found) == [0, 1, 2]
    assert [family.record(shard) for shard in found] == list(found.values())
    assert Family(family.storage, family.path, family.shards).records() == found
    return [record.sha256 for record in found.values()]


def files(family: Family) -> dict[str, bytes]:
    names = family.storage.list(family.path)
    return {name: family.storage.read(f"{family.path}/{name}").to_pybytes() for name in names}


def test_a_repair_with_the_same_hash_changes_nothing(repairing: Family) -> None:
    before = files(repairing)
    assert repairing.commit(record(1, A)) is False
    assert repairing.commit(dataclasses.replace(record(1, A), statistics={})) is False
    assert files(repairing) == before


def test_each_repair_with_another_hash_is_the_next_generation(repairing: Family) -> None:
    before = files(repairing)
    assert repairing.commit(record(1, B)) is True
    assert held(repairing) == [A, B, A]
    assert repairing.commit(record(1, B)) is False
    assert repairing.commit(record(1, C)) is True
    assert repairing.commit(record(0, C)) is True
    assert held(repairing) == [C, C, A]
    added = {"00000.g1.json": record(0, C), "00001.g1.json": record(1, B), "00001.g2.json": record(1, C)}
    assert files(repairing) == before | {name: bytes_of(made) for name, made in added.items()}


def test_a_repair_may_go_back_to_earlier_bytes(repairing: Family) -> None:
    assert repairing.commit(record(1, B)) is True
    assert repairing.commit(record(1, A)) is True
    assert held(repairing) == [A, A, A]
    assert repairing.storage.list(repairing.path).count("00001.g2.json") == 1


def test_the_tenth_generation_comes_after_the_ninth(repairing: Family) -> None:
    hashes = [f"{number:064x}" for number in range(12)]
    for sha256 in hashes:
        assert repairing.commit(record(2, sha256)) is True
    assert held(repairing) == [A, A, hashes[-1]]


def test_a_repair_commits_what_was_not_committed(family: Family) -> None:
    family = family.for_repair()
    assert family.commit(record(1, B)) is True
    assert family.storage.list(family.path) == ["00001.json"]


def test_without_repair_the_last_generation_is_what_was_committed(repairing: Family) -> None:
    repairing.commit(record(1, B))
    plain = Family(repairing.storage, repairing.path, repairing.shards)
    assert plain.commit(record(1, B)) is False
    with pytest.raises(
        MismatchError, match=f"shard 1 was committed with other bytes .{B[:16]}, this run made {A[:16]}"
    ):
        plain.commit(record(1, A))


def test_a_family_that_is_sealed_after_a_repair_lists_the_last_generation(family: Family) -> None:
    commit_all(family)
    family = family.for_repair()
    family.commit(record(1, B))
    assert family.seal() is True
    assert [entry.sha256 for entry in family.record_files.listed()] == [A, B, A]
    family.commit(record(1, C))
    assert held(family) == [A, C, A]


def test_a_generation_that_was_cut_short_does_not_hold_and_the_next_repair_completes_it(repairing: Family) -> None:
    repairing.storage.put(f"{repairing.path}/00001.g1.json", bytes_of(record(1, B))[:100])
    assert held(repairing) == [A, A, A]
    assert repairing.commit(record(1, B)) is True
    assert held(repairing) == [A, B, A]


@pytest.mark.parametrize("generation", [0, 1])
@pytest.mark.parametrize("length", [0, 100, -40])
def test_a_repair_puts_its_record_in_place_of_one_of_other_bytes_that_was_cut_short(
    family: Family, generation: int, length: int
) -> None:
    commit_all(family)
    family = family.for_repair()
    other = record(1, B) if generation else record(1, A)
    family.storage.put(f"{family.path}/{record_name(1, generation)}", bytes_of(other)[:length])
    assert family.commit(record(1, C)) is True
    assert held(family) == [A, C, A]


@pytest.mark.parametrize("sha256", [A, B], ids=["same", "other"])
def test_a_damaged_record_is_replaced(repairing: Family, sha256: str) -> None:
    change_bytes(repairing.storage, f"{repairing.path}/00001.json", b'"rows": 10', b'"rows": 11')
    repairing.commit(record(1, sha256))
    assert held(repairing) == [A, sha256, A]


@pytest.mark.parametrize("sha256", [A, B], ids=["same", "other"])
def test_a_record_damaged_in_its_last_bytes_is_replaced(repairing: Family, sha256: str) -> None:
    change_bytes(repairing.storage, f"{repairing.path}/00001.json", b'"\n}\n', b'"\n}\r')
    repairing.commit(record(1, sha256))
    assert held(repairing) == [A, sha256, A]


@pytest.mark.parametrize("sha256", [A, B], ids=["same", "other"])
def test_a_lost_record_of_a_sealed_family_is_made_again(family: Family, sha256: str) -> None:
    commit_all(family)
    family.seal()
    family.storage.remove_dead(f"{family.path}/00001.json")
    family = family.for_repair()
    family.commit(record(1, sha256))
    assert held(family) == [A, sha256, A]


@pytest.mark.parametrize("sha256", [B, C], ids=["same", "other"])
def test_a_damaged_first_record_behind_a_good_generation_is_replaced(repairing: Family, sha256: str) -> None:
    repairing.commit(record(1, B))
    change_bytes(repairing.storage, f"{repairing.path}/00001.json", b'"rows": 10', b'"rows": 11')
    repairing.commit(record(1, sha256))
    assert held(repairing) == [A, sha256, A]


@pytest.mark.parametrize("sha256", [A, B, C], ids=["first", "same", "other"])
def test_a_damaged_generation_is_replaced(repairing: Family, sha256: str) -> None:
    repairing.commit(record(1, B))
    change_bytes(repairing.storage, f"{repairing.path}/00001.g1.json", b'"rows": 10', b'"rows": 11')
    for ask in (repairing.records, lambda: repairing.record(1)):
        with pytest.raises(DamageError, match=r"labels/bert/00001\.g1\.json is damaged"):
            ask()
    assert repairing.commit(record(1, sha256)) is True
    assert held(repairing) == [A, sha256, A]


def test_a_first_record_that_is_lost_behind_a_generation_is_not_needed(repairing: Family) -> None:
    repairing.commit(record(1, B))
    repairing.storage.remove_dead(f"{repairing.path}/00001.json")
    assert held(repairing) == [A, B, A]


def test_of_a_damaged_record_that_a_generation_took_the_place_of_all_readers_say_the_same(repairing: Family) -> None:
    repairing.commit(record(1, B))
    change_bytes(repairing.storage, f"{repairing.path}/00001.json", b'"rows": 10', b'"rows": 11')
    try:
        found = repairing.records()[1]
    except DamageError:
        with pytest.raises(DamageError):
            repairing.record(1)
    else:
        assert repairing.record(1) == found


def test_of_many_repairs_with_equal_bytes_one_is_the_next_generation(repairing: Family) -> None:
    barrier = Barrier(8)

    def repair(_: int) -> bool:
        barrier.wait()
        return repairing.commit(record(2, B))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(repair, range(8))) == [False] * 7 + [True]
    assert held(repairing) == [A, A, B]
    assert [name for name in repairing.storage.list(repairing.path) if ".g" in name] == ["00002.g1.json"]


def test_a_commit_whose_answer_fails_is_a_commit(tmp_path: Path) -> None:
    class Answerless(LocalStorage):
        def put_if_absent(self, name: str, data: bytes) -> bool:
            super().put_if_absent(name, data)
            raise TimeoutError("no answer")

    family = Family(Answerless(tmp_path), "labels/bert", 3)
    assert family.commit(record(0)) is True
    assert family.record(0) == record(0)
    with pytest.raises(MismatchError, match="the first commit stays"):
        family.commit(record(0, B))
