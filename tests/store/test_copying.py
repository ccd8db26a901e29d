"""A copy has what its source had, every byte compared, and is a store only when it is whole."""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from faults import Fault, FaultyStorage, Killed, snapshot
from store_factory import (
    NoWaitStorage,
    add_corpus,
    add_labels,
    append_rows,
    calibration_at,
    flip_bit,
    make_store,
    repair_labels,
    write_header,
)

import store
from store.copying import copy_store as module
from store.copying.copy_store import copy_store
from store.errors import DamageError, MismatchError, StoreError, StoreExistsError, StoreMissingError
from store.format.header import is_store
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration, calibrations
from store.selections.selection import read_selection
from store.storage import LocalStorage, MemoryStorage
from store.verify.verify import verify


def everything(storage=None):
    """A store with two label sets, tokens of none, gold, a calibration and selections."""
    made = make_store(storage, labels=["bert", "roberta"], encodings=["letters-8-right"])
    add_round(made, Labelled(rows=np.arange(0, 30, 3), labels=np.zeros(10, np.int16), sources=["a.csv"] * 10))
    add_calibration(made, calibration_at(1.5, made=made))
    made.select("sure", where="confidence > 0.9", labels="bert")
    made.select("other", where="confidence > 0.9", labels="roberta")
    made.select("long", where="n_chars > 10")
    return made


@pytest.fixture(params=["memory", "local"])
def target(request, tmp_path):
    return MemoryStorage() if request.param == "memory" else NoWaitStorage(tmp_path / "copy")


def test_a_copy_has_what_was_appended_and_an_earlier_copy_gets_it(target) -> None:
    made = everything()
    copy_store(made, target)
    grown = append_rows(made, rows=20)
    for name in ("bert", "roberta"):
        add_labels(grown, name, shards=grown.label_set(name).missing())
        grown.label_set(name).seal()
    grown.select("later", where="row > 55", labels="bert")
    copied = copy_store(store.open(made.storage), target)
    assert list(verify(target)) == list(verify(made.storage))
    assert snapshot(target) == snapshot(made.storage)
    there = store.open(target)
    assert there.layout.rows == 70
    for name in ("sure", "later"):
        assert len(read_selection(there, name).rows) == len(read_selection(store.open(made.storage), name).rows) > 0
    assert copied.copied_files < copied.files
    fresh = MemoryStorage()
    copy_store(there, fresh)
    assert snapshot(fresh) == snapshot(target)


def test_a_copy_has_the_same_files(target) -> None:
    made = everything()
    copied = copy_store(made, target)
    data = {name: len(held) for name, held in snapshot(made.storage).items() if name.endswith((".arrow", ".bits"))}
    assert (copied.files, copied.bytes) == (len(data), sum(data.values()))
    assert (copied.copied_files, copied.copied_bytes, copied.notes) == (copied.files, copied.bytes, [])
    assert snapshot(target) == snapshot(made.storage)
    assert list(verify(target)) == []
    there = store.open(target)
    assert there.sql("SELECT sum(confidence) FROM labels").equals(made.sql("SELECT sum(confidence) FROM labels"))
    assert [one.temperature for one in calibrations(there, "bert")] == [1.5]
    assert len(read_selection(there, "sure").rows) == len(read_selection(made, "sure").rows)


def test_run_again_it_copies_nothing_and_later_what_the_source_has_gained(target) -> None:
    made = make_store()
    copy_store(made, target)
    assert copy_store(made, target).copied_files == 0
    add_labels(made, "half", shards=[1])
    add_round(made, Labelled(rows=np.arange(3), labels=np.zeros(3, np.int16), sources=["a.csv"] * 3))
    assert copy_store(made, target).copied_files == 2
    add_labels(made, "half", shards=[0, 2])
    made.label_set("half").seal()
    assert copy_store(made, target).copied_files == 2
    assert snapshot(target) == snapshot(made.storage)
    assert list(verify(target)) == []


def test_some_label_sets_come_with_their_tokens_and_selections_alone(target) -> None:
    made = everything()
    copied = copy_store(made, target, labels=["bert"])
    assert store.open(target).label_sets() == ["bert"]
    assert sorted(note.partition(" is left out")[0] for note in copied.notes) == [
        "labels/roberta",
        "selections/other",
        "tokens/letters-8-right",
    ]
    assert list(verify(target)) == []
    copy_store(made, target)
    assert snapshot(target) == snapshot(made.storage)


def test_the_tokens_of_a_chosen_label_set_come_with_it(target) -> None:
    copied = copy_store(make_store(labels=["bert"], encodings=["words-8-right"]), target, labels=["bert"])
    assert copied.notes == []
    assert store.open(target).encodings() == ["words-8-right"]


def test_an_unfinished_store_is_copied_as_it_is_and_can_be_finished(target) -> None:
    made = write_header(rows=50)
    add_corpus(made)
    add_labels(made, "bert", shards=[2])
    copy_store(made, target)
    there = store.open(target)
    assert (there.corpus.is_sealed(), list(there.label_set("bert").records())) == (True, [2])
    add_labels(there, "bert", shards=[0, 1])
    assert there.label_set("bert").seal()
    assert list(verify(target)) == []


def test_a_shard_that_was_repaired_with_other_bytes_is_whole_in_the_copy(target) -> None:
    made = make_store()
    repair_labels(made, "bert", shard=1, seed=7)
    copy_store(made, target)
    assert "00001.g1.json" not in target.list("labels/bert")
    assert list(verify(target)) == []
    query = "SELECT row, logits FROM labels ORDER BY row"
    assert store.open(target).sql(query).equals(made.sql(query))


def test_a_selection_whose_labels_have_changed_is_left_out_with_a_note(target) -> None:
    made = make_store()
    made.select("sure", where="confidence > 0.9")
    repair_labels(made, "bert", shard=1, seed=7)
    (note,) = copy_store(made, target).notes
    assert note.startswith("selections/sure is left out: what it was made from has changed")
    assert list(verify(target)) == []


# damage


@pytest.mark.parametrize(
    "name", ["corpus/00001", "labels/roberta/00002", "gold/00001", "rejects/00000", "selections/sure"]
)
def test_damaged_files_are_named_and_nothing_becomes_a_store(target, name) -> None:
    made = everything()
    names = [one for one in snapshot(made.storage) if one.startswith(f"{name}-")]
    flip_bit(made.storage, names[0], 1_000_003)
    with pytest.raises(DamageError) as refused:
        copy_store(made, target)
    assert "1 of " in str(refused.value)
    assert f"{names[0]} is damaged" in str(refused.value)
    assert not is_store(target)
    flip_bit(made.storage, names[0], 1_000_003)
    assert copy_store(made, target).copied_files == 1
    assert list(verify(target)) == []


def test_all_damaged_and_missing_files_are_named(target) -> None:
    made = make_store()
    first, second, third = (record.file for record in made.label_set("bert").records().values())
    flip_bit(made.storage, f"labels/bert/{first}", 999)
    made.storage.put(f"labels/bert/{second}", b"short")
    made.storage.remove_dead(f"labels/bert/{third}")
    with pytest.raises(DamageError) as refused:
        copy_store(made, target)
    said = str(refused.value)
    assert said.startswith("3 of 7 files could not be copied")
    assert (said.count("is damaged"), said.count(f"{third} is missing")) == (2, 1)


def test_a_damaged_small_file_is_said(target) -> None:
    made = make_store()
    flip_bit(made.storage, "labels/bert/card.json", 50)
    with pytest.raises(DamageError, match=r"labels/bert/card\.json is damaged"):
        copy_store(made, target)
    assert not is_store(target)


def test_bytes_that_change_on_the_way_are_seen(target, monkeypatch) -> None:
    made = make_store()
    pieces = made.storage.pieces

    def turned(name):
        for piece in pieces(name):
            yield bytes([piece[0] ^ 1]) + piece[1:] if name.startswith("corpus/00001") else piece

    monkeypatch.setattr(made.storage, "pieces", turned)
    with pytest.raises(DamageError, match="1 of 7 files"):
        copy_store(made, target)


# other things at the target


def test_what_is_no_copy_of_this_store_is_not_touched(tmp_path) -> None:
    made = make_store(NoWaitStorage(tmp_path / "s"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    make_store(NoWaitStorage(tmp_path / "other"), rows=40)
    for name, message in (
        ("full", "is not empty, and no copy of a store"),
        ("file", "is a file"),
        ("other", "is another store than"),
        ("s", "lie in one another"),
        ("s/copy", "lie in one another"),
        (".", "lie in one another"),
    ):
        before = sorted(str(path) for path in tmp_path.rglob("*"))
        with pytest.raises(StoreExistsError, match=message):
            made.copy(tmp_path / name)
        assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_the_rest_of_another_stores_copy_is_refused(target) -> None:
    made = make_store()
    module._begin(made, target)
    with pytest.raises(StoreExistsError, match="a copy of another store was begun"):
        copy_store(make_store(rows=40), target)
    copy_store(made, target)
    assert list(verify(target)) == []


def test_a_store_of_the_same_texts_with_other_labels_is_no_copy(target) -> None:
    made, other = make_store(target), make_store(labels=[])
    add_labels(other, "bert", seed=5)
    before = snapshot(target)
    with pytest.raises(
        MismatchError, match="labels/bert is not a copy of .*: shard 0 has other bytes; copy to another place"
    ):
        copy_store(other, target)
    assert snapshot(made.storage) == before


def test_an_unknown_label_set_is_refused_before_anything_is_written(target) -> None:
    with pytest.raises(StoreMissingError, match="has no label set 'none'; it has: bert"):
        copy_store(make_store(), target, labels=["none"])
    assert target.list("") == []


# kills, faults, writers and removals beside it


@pytest.mark.parametrize("fault", list(Fault))
def test_any_fault_in_any_call_leaves_no_half_store_and_the_next_run_ends_it(fault) -> None:
    made = everything()
    whole, counted = snapshot(made.storage), FaultyStorage(MemoryStorage())
    copy_store(made, counted)
    for number in range(0, len(counted.calls), 3):
        storage = MemoryStorage()
        faulty = FaultyStorage(storage, {number: fault})
        try:
            copy_store(made, faulty)
        except (StoreError, OSError, Killed):
            # Where the copy is a store it is whole, but for the header's own second copy.
            assert not is_store(storage) or not [found for found in verify(storage) if found.is_damage]
        copy_store(made, storage)
        assert snapshot(storage) == whole
        assert list(verify(storage)) == []


@pytest.mark.parametrize("times", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_a_process_that_is_killed_at_any_moment_is_gone_on_from(tmp_path, times) -> None:
    made, chance = everything(NoWaitStorage(tmp_path / "s")), random.Random(6)
    whole = snapshot(made.storage)
    for turn in range(times):
        place = LocalStorage(tmp_path / str(turn))
        if (child := os.fork()) == 0:
            try:
                copy_store(made, place)
            finally:
                os._exit(0)
        time.sleep(chance.random() * 0.06)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        there = len([name for name in snapshot(place) if name.endswith((".arrow", ".bits"))])
        copied = copy_store(made, place)
        assert copied.files - copied.copied_files == there
        assert snapshot(place) == whole
        assert list(verify(place)) == []


def test_what_others_commit_meanwhile_is_no_part_of_it(target) -> None:
    made = write_header(rows=50)
    add_corpus(made)
    add_labels(made, "bert", shards=[0])

    def tick(what, done, total):
        if not made.label_set("bert").is_sealed():
            add_labels(made, "bert", shards=[1, 2])
            made.label_set("bert").seal()
            made.select("sure", where="confidence > 0.9")

    copy_store(made, target, tick=tick)
    assert list(store.open(target).label_set("bert").records()) == [0]
    assert not [found for found in verify(target) if found.is_damage]
    copy_store(made, target)
    assert list(verify(target)) == []


def test_a_label_set_that_is_removed_meanwhile_is_no_damage(target) -> None:
    made = make_store(labels=["bert", "roberta"])

    def tick(what, done, total):
        if "bert" in made.label_sets():
            made.remove("labels/bert")

    with pytest.raises(StoreMissingError, match="labels/bert has been removed since it was opened"):
        copy_store(made, target, tick=tick)
    assert not is_store(target)


def test_the_progress_is_in_megabytes(target, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MEGABYTE", 1_000)
    told = []
    copied = copy_store(make_store(), target, tick=lambda *one: told.append(one))
    assert told[-1] == ("copying, in MB", copied.bytes // 1_000, copied.bytes // 1_000)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_command_copies_and_names_damage_with_its_exit_code(tmp_path, capsys) -> None:
    import json

    from cli.main import DAMAGED, ERROR, OK, run

    made = everything(NoWaitStorage(tmp_path / "s"))
    assert run(["copy", str(tmp_path / "s"), str(tmp_path / "b"), "--labels", "bert"]) == OK
    printed = capsys.readouterr()
    assert json.loads(printed.out)["files"] == 10
    assert "labels/roberta is left out" in printed.err
    assert run(["verify", str(tmp_path / "b")]) == OK
    capsys.readouterr()
    assert run(["copy", str(tmp_path / "s"), str(tmp_path / "b"), "--labels", "bert", "--quiet"]) == OK
    assert capsys.readouterr().err == ""
    flip_bit(made.storage, f"corpus/{made.corpus.records()[0].file}", 99)
    assert run(["copy", str(tmp_path / "s"), str(tmp_path / "c")]) == DAMAGED
    assert capsys.readouterr().err.startswith("damage: 1 of ")
    assert run(["info", str(tmp_path / "c")]) == ERROR
    assert not Path(tmp_path / "c/store.json").exists()
