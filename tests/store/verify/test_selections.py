"""Damage of selections: found, named, and restored as far as it can be, and nothing else is touched."""

import json
import shutil
from pathlib import Path

import pytest
from store_factory import NoWaitStorage, add_labels, flip_bit, make_store, repair_labels

import store
from cli.main import DAMAGED, OK, run
from store import Store
from store.format.findings import Finding, Kind
from store.format.json_file import from_json, to_json
from store.storage import LocalStorage, MemoryStorage, Storage
from store.verify.process import verify_store
from store.verify.repair import remove_litter, restore_small_files
from store.verify.verify import verify

NAMES = ("few", "sure", "texts")


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return NoWaitStorage(tmp_path / "a.store") if request.param == "local" else MemoryStorage()


@pytest.fixture
def made(storage: Storage) -> Store:
    """A finished store with two label sets and three selections."""
    return make_selected(storage)


def make_selected(storage: Storage | None = None) -> Store:
    made = make_store(storage, rows=150, labels=["bert", "roberta"])
    made.select("few", limit=3)
    made.select("sure", where="confidence > 0.8", labels="bert")
    made.select("texts", where="stars = 3")
    return made


def files(made: Store) -> dict[str, bytes]:
    names = [f"selections/{name}" for name in made.storage.list("selections")]
    return {name: made.storage.read(name).to_pybytes() for name in names}


def found(made: Store) -> list[tuple[Kind, str]]:
    return [(finding.kind, finding.file) for finding in verify(made.storage)]


def repaired(made: Store) -> tuple[list[str], list[str]]:
    """What was restored and what removed by what a repair does with small files and litter."""
    findings = list(verify(made.storage))
    return restore_small_files(made, findings), remove_litter(made, list(verify(made.storage)))


def test_a_store_with_selections_is_whole(made: Store) -> None:
    assert len(files(made)) == 9
    assert verify_store(made.storage).findings == []


@pytest.mark.parametrize("stride", [199, pytest.param(61, marks=pytest.mark.slow)])
def test_flipped_bits_and_every_cut_are_found_and_cards_are_restored(made: Store, stride: int) -> None:
    whole = files(made)
    for name, data in whole.items():
        changes = [bytes([*data[:at], data[at] ^ 1 << at % 8, *data[at + 1 :]]) for at in range(0, len(data), stride)]
        for changed in (*changes, b"", data[:-1], data[: len(data) // 2], data + b"\0"):
            made.storage.put(name, changed)
            assert found(made) == [(Kind.DAMAGED, name)]
            assert repaired(made) == ([name] if name.endswith(".json") else [], [])
            if name.endswith(".bits"):
                assert found(made) == [(Kind.DAMAGED, name)]
                made.storage.put(name, data)
            assert files(made) == whole
    assert found(made) == []


def test_every_file_that_is_gone_is_found_and_cards_are_restored(made: Store) -> None:
    whole = files(made)
    for name, data in whole.items():
        made.storage.remove_dead(name)
        kind = Kind.UNFINISHED if name.endswith(".copy.json") else Kind.MISSING
        assert found(made) == [(kind, name)]
        assert repaired(made) == ([name] if name.endswith(".json") else [], [])
        made.storage.put(name, data)
        assert files(made) == whole


def test_damaged_bits_say_how_they_are_made_again(made: Store) -> None:
    file = made.selection("texts").card.file
    flip_bit(made.storage, f"selections/{file}", 9)
    (finding,) = verify(made.storage)
    assert isinstance(finding, Finding)
    assert (finding.kind, finding.family, finding.shard) == (Kind.DAMAGED, "selections", None)
    command = f"engine select {made.location} texts --where 'stars = 3'"
    assert finding.problem.endswith(f"no other file has these rows: `{command}` writes it again")
    made.select("texts", where="stars = 3")
    assert found(made) == []


def test_a_selection_of_changed_labels_is_a_mismatch_that_stays(made: Store) -> None:
    repair_labels(made, "bert", shard=1, seed=77)
    whole = files(made)
    assert [finding for finding in found(made) if finding[0] is not Kind.LITTER] == [
        (Kind.MISMATCH, "selections/sure.json")
    ]
    (finding,) = (finding for finding in verify(made.storage) if finding.is_damage)
    assert finding.problem.startswith("was made from labels/bert when its fingerprint was ")
    assert finding.problem.endswith("select again under another name, and delete this one's files")
    restored, _ = repaired(made)
    assert (restored, files(made)) == ([], whole)
    for name in list(whole):
        if name.startswith("selections/sure"):
            made.storage.remove_dead(name)
    assert not [finding for finding in verify(made.storage) if finding.is_damage]


def test_a_source_that_is_damaged_itself_is_named_once(made: Store) -> None:
    flip_bit(made.storage, "labels/bert/manifest.json", 700)
    assert found(made) == [(Kind.DAMAGED, "labels/bert/manifest.json")]
    assert repaired(made)[0] == ["labels/bert/manifest.json"]
    flip_bit(made.storage, f"labels/bert/{made.label_set('bert').records()[1].file}", 700)
    assert [kind for kind, file in found(made)] == [Kind.DAMAGED]


def test_a_source_that_lost_a_shard_without_a_trace_is_missed(storage: Storage) -> None:
    made = make_store(storage, rows=30)
    add_labels(made, "other", seed=5)
    made.select("sure", where="confidence > 0.8", labels="other")
    made.storage.remove_dead("labels/other/00001.json")
    kinds = dict(map(reversed, found(made)))  # type: ignore[arg-type]
    assert kinds["selections/sure.json"] is Kind.MISMATCH
    assert "labels/other lacks 1 of 3 shards" in next(
        finding.problem for finding in verify(storage) if finding.file == "selections/sure.json"
    )


def test_the_card_of_another_selection_or_store_is_found_and_restored(made: Store) -> None:
    whole = files(made)
    larger = make_store(rows=151)
    larger.select("texts", where="stars = 3")
    for other in (whole["selections/sure.json"], larger.storage.read("selections/texts.json").to_pybytes()):
        for name in ("selections/texts.json", "selections/texts.copy.json"):
            made.storage.put(name, other)
            (finding,) = verify(made.storage)
            assert (finding.kind, finding.file) == (Kind.DAMAGED, name)
            assert finding.problem == "is whole, and is not what was written there"
            assert repaired(made) == ([name], [])
            assert files(made) == whole


def test_a_copy_that_differs_is_a_mismatch_and_the_card_holds(made: Store) -> None:
    whole = files(made)
    value = from_json(made.storage, "selections/few.json")
    made.storage.put("selections/few.copy.json", to_json({**value, "limit": 4}))
    assert found(made) == [(Kind.MISMATCH, "selections/few.copy.json")]
    assert repaired(made) == (["selections/few.copy.json"], [])
    assert files(made) == whole


def test_a_card_that_is_lost_with_its_copy_stays_lost_and_its_bits_are_kept(made: Store) -> None:
    whole = files(made)
    for name in ("selections/few.json", "selections/few.copy.json"):
        made.storage.put(name, whole[name][:9])
    bits = f"selections/{json.loads(whole['selections/few.json'])['file']}"
    both = [(Kind.DAMAGED, "selections/few.json"), (Kind.DAMAGED, "selections/few.copy.json")]
    assert found(made) == [*both, (Kind.LITTER, bits)]
    assert repaired(made) == ([], [])
    assert made.select("few", limit=3).card.file in bits  # whoever selects them again finishes what was begun
    assert found(made) == []
    assert files(made) == whole


def test_bits_that_no_card_names_are_litter_and_only_a_losers_are_removed(made: Store) -> None:
    whole = files(made)
    loser, begun = "selections/few-0123456789abcdef.bits", "selections/new-0123456789abcdef.bits"
    notes = "selections/notes.txt"
    for name in (loser, begun, notes):
        made.storage.put(name, b"12345678")
    assert found(made) == [(Kind.LITTER, name) for name in sorted([loser, begun, notes])]
    assert repaired(made) == ([], [loser])
    assert files(made) == {**whole, begun: b"12345678", notes: b"12345678"}


def test_bits_whose_writer_lives_are_not_removed(tmp_path: Path) -> None:
    made = make_selected(LocalStorage(tmp_path / "a.store"))
    staged = made.storage.stage()
    staged.write(b"12345678")
    staged.publish("selections/few-0123456789abcdef.bits")
    assert repaired(made) == ([], [])
    staged.discard()
    assert repaired(made) == ([], ["selections/few-0123456789abcdef.bits"])


def test_the_commands_find_and_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "a.store"
    made = make_selected(NoWaitStorage(place))
    whole = files(made)
    assert run(["verify", str(place)]) == OK
    assert capsys.readouterr().err.endswith("13 data files read, 0 findings of damage\n")
    bits = f"selections/{made.selection('few').card.file}"
    flip_bit(made.storage, "selections/sure.json", 50)
    flip_bit(made.storage, bits, 50)
    assert run(["verify", str(place), "--format", "jsonl"]) == DAMAGED
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["kind"], row["file"]) for row in rows] == [("damaged", bits), ("damaged", "selections/sure.json")]
    assert run(["verify", str(place), "--repair"]) == DAMAGED
    said = capsys.readouterr().err
    assert "restored selections/sure.json\n" in said
    assert f"still damaged: {bits} has the sha256 " in said
    assert run(["select", str(place), "few", "--limit", "3"]) == OK
    assert run(["verify", str(place)]) == OK
    assert files(made) == whole


def test_a_copy_of_the_store_is_as_whole(tmp_path: Path) -> None:
    made = make_selected(NoWaitStorage(tmp_path / "a.store"))
    copied = store.open(shutil.copytree(tmp_path / "a.store", tmp_path / "b.store"))
    assert found(copied) == []
    assert [copied.selection(name) for name in NAMES] == [made.selection(name) for name in NAMES]
