"""A store with appended rows: every damage of it is named, repair mends it, and what cannot be mended is refused."""

from pathlib import Path

import pytest
from faults import snapshot
from store_factory import flip_bit
from whole_run import labeller_for, whole_run, write_input, write_more

import store
from engine.labelling.repair import Repair, repair
from store.errors import DamageError
from store.format.findings import Kind
from store.format.names import REJECTS
from store.format.segments import GUARD
from store.storage import LocalStorage, MemoryStorage, Storage
from store.verify.process import verify_store
from store.verify.verify import verify

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("input")
    return (*write_input(folder), *write_more(folder, "one.jsonl"), *write_more(folder, "two.jsonl", rows=3))


def grown(files: tuple[str, ...], storage: Storage) -> Storage:
    """Three segments, of 3, 2 and 2 shards, all labelled."""
    for number in (1, 2):
        whole_run(storage, files[:1], more=files[number : number + 1])
    return storage


@pytest.fixture(scope="module")
def whole(files: tuple[str, ...]) -> Files:
    return snapshot(grown(files, MemoryStorage()))


def of(whole: Files) -> MemoryStorage:
    storage = MemoryStorage()
    for name, data in whole.items():
        storage.put(name, data)
    return storage


def mended(storage: Storage, inputs: tuple[str, ...] = ()) -> Repair:
    return repair(storage, verify_store(storage), open_labeller=labeller_for, inputs=inputs)


def test_a_whole_store_has_no_finding(whole: Files) -> None:
    assert list(verify(of(whole))) == []
    assert len(store.open(of(whole)).header.appended) == 2


def names(whole: Files) -> list[str]:
    return sorted(whole)


@pytest.mark.parametrize("how", ["flip", "cut", "delete"])
def test_every_damaged_file_is_named_and_comes_back(whole: Files, how: str) -> None:
    """But for those that only a backup has, and those without which a store is merely unfinished."""
    for name in names(whole):
        storage = of(whole)
        if how == "flip":
            flip_bit(storage, name, 8 * len(whole[name]) // 3)
        elif how == "cut":
            storage.put(name, whole[name][: len(whole[name]) // 2])
        else:
            storage.remove_dead(name)
        found = list(verify(storage))
        assert name in {finding.file for finding in found}, name
        outcome = mended(storage)
        assert outcome.after.damage == [], (name, outcome)
        assert snapshot(storage) == whole, name


def test_the_refused_rows_and_the_texts_of_a_segment_are_made_again_together(whole: Files, files) -> None:
    storage = of(whole)
    rejects = [name for name in whole if name.startswith("segments/") and name.endswith(".arrow")]
    texts = [name for name in whole if name.startswith("corpus/") and name.endswith(".arrow")]
    for name in (*rejects, *texts):
        flip_bit(storage, name, 3_000)
    found = {(finding.family, finding.shard) for finding in verify(storage)}
    assert found == {(REJECTS, 1), (REJECTS, 2), *(("corpus", shard) for shard in range(7))}
    outcome = mended(storage, inputs=files)
    assert (outcome.obstacles, outcome.after.findings) == ([], [])
    assert outcome.redone[0] == ("corpus", 0)
    assert (REJECTS, 2) in outcome.redone
    assert snapshot(storage) == whole


def test_inputs_of_all_segments_are_named_for_a_repair(whole: Files, files: tuple[str, ...], tmp_path: Path) -> None:
    storage = of(whole)
    flip_bit(storage, next(name for name in whole if name.startswith("corpus/00005-")), 3_000)
    outcome = mended(storage, inputs=files[:1])
    assert outcome.obstacles == [f"corpus: {storage.location} was made from 3 input files, and 1 are given"]
    moved = [str(Path(file).rename(tmp_path / Path(file).name)) for file in files]
    try:
        assert "needs its input" in mended(storage).obstacles[0]
        assert mended(storage, inputs=tuple(moved)).after.findings == []
    finally:
        for here, there in zip(moved, files, strict=True):
            Path(here).rename(there)
    assert snapshot(storage) == whole


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("how", ["flip", "delete"])
def test_a_segment_without_file_and_copy_is_for_a_backup(whole: Files, number: int, how: str) -> None:
    storage = of(whole)
    for name in (f"segments/{number:05d}.json", f"segments/{number:05d}.copy.json"):
        flip_bit(storage, name, 999) if how == "flip" else storage.remove_dead(name)
    with pytest.raises(DamageError, match=f"segments/{number:05d}.json is lost or damaged, .* from a backup"):
        list(verify(storage))
    storage.put(f"segments/{number:05d}.json", whole[f"segments/{number:05d}.json"])
    mended(storage)
    assert snapshot(storage) == whole


def test_files_that_contradict_each_other_are_a_mismatch_and_the_first_holds(whole: Files) -> None:
    storage = of(whole)
    storage.put("segments/00001.copy.json", whole["segments/00002.json"])
    assert [(one.kind, one.file) for one in verify(storage)] == [(Kind.DAMAGED, "segments/00001.copy.json")]
    assert mended(storage).restored == ["segments/00001.copy.json"]
    assert snapshot(storage) == whole


def test_what_no_segment_names_is_litter_and_goes(whole: Files) -> None:
    storage = of(whole)
    storage.put("segments/00003-0123456789abcdef.arrow", b"of a writer that was killed")
    storage.put("segments/notes.txt", b"of someone")
    found = [(finding.kind, finding.file) for finding in verify(storage)]
    assert found == [
        (Kind.LITTER, "segments/00003-0123456789abcdef.arrow"),
        (Kind.LITTER, "segments/notes.txt"),
    ]
    assert mended(storage).removed == ["segments/00003-0123456789abcdef.arrow"]
    assert "notes.txt" in storage.list("segments")


def test_what_stops_older_programs_is_no_ones_record(whole: Files) -> None:
    storage = of(whole)
    assert GUARD in whole
    storage.remove_dead(GUARD)
    (finding,) = verify(storage)
    assert (finding.kind, finding.family, finding.file) == (Kind.MISSING, "corpus", GUARD)
    assert mended(storage).restored == [GUARD]
    assert snapshot(storage) == whole


def test_a_store_on_a_disk_is_checked_in_a_process_of_its_own(files: tuple[str, ...], tmp_path: Path) -> None:
    storage = grown(files, LocalStorage(tmp_path / "s.store"))
    assert verify_store(storage).findings == []
    (rejects,) = (tmp_path / "s.store" / "segments").glob("00002-*.arrow")
    rejects.write_bytes(rejects.read_bytes()[:-1])
    (finding,) = verify_store(storage).findings
    assert (finding.kind, finding.family, finding.shard) == (Kind.DAMAGED, REJECTS, 2)
    assert mended(storage).redone == [(REJECTS, 2)]
    assert verify_store(storage).findings == []
