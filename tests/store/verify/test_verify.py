"""All damage is found and named, and what can be made again is; nothing that was not damaged is touched."""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from faults import clear, snapshot
from whole_run import (
    CLASSES,
    ENCODING,
    begin,
    freeze_card,
    labeller_for,
    whole_run,
    write_input,
)

import engine
import store
from cli.main import DAMAGED, OK, USAGE, run
from engine.demo.models import Shape, make_model, make_tokenizer
from engine.errors import EngineError
from engine.labelling.repair import Repair, repair
from engine.labelling.shard import Labeller, label_shard
from store import Store
from store.errors import DamageError, StoreMissingError
from store.families.registry import shard_statistics
from store.families.rejects import rejects_schema
from store.format.findings import Finding, Kind
from store.format.json_file import copy_name, from_json, to_json
from store.format.record import data_name, record_name
from store.format.record_files import MANIFEST
from store.storage import LocalStorage, MemoryStorage, Storage
from store.verify.process import verify_store
from store.verify.verify import verify

ROWS = 12
SETS = ("one", "second")
SLOW = (pytest.mark.slow, pytest.mark.timeout(3_600))
BEGUN = "begun"
"""A label set of which one shard of three is labelled."""

Files = dict[str, bytes]
Changes = Mapping[str, bytes | None]


def make(storage: Storage, files: tuple[str, ...]) -> Store:
    """Texts, refused rows, tokens, two label sets and one that is not finished."""
    made = whole_run(storage, files, label_sets=SETS)
    freeze_card(made, BEGUN)
    label_shard(labeller_for(made, BEGUN), 1)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return write_input(tmp_path_factory.mktemp("input"), rows=ROWS)


@pytest.fixture(scope="module")
def whole(files: tuple[str, ...]) -> Files:
    storage = MemoryStorage()
    make(storage, files)
    return snapshot(storage)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Another store, of other texts."""
    storage = MemoryStorage()
    make(storage, write_input(tmp_path_factory.mktemp("other"), rows=ROWS + 3))
    return snapshot(storage)


@pytest.fixture
def bench(whole: Files) -> "Bench":
    return Bench(whole)


class Bench:
    """Damages a store, looks at it and repairs it, as often as asked.

    Attributes:
        whole: the files of the undamaged store.
        storage: where they lie.
        cases: how many damages were looked at.
    """

    def __init__(self, whole: Files) -> None:
        self.whole = whole
        self.storage = MemoryStorage()
        self.cases = 0

    def examine(self, changes: Changes) -> list[Finding]:
        """What is found in the store with these files changed, or deleted where None."""
        self.cases += 1
        clear(self.storage)
        for name, data in {**self.whole, **changes}.items():
            if data is not None:
                self.storage.put(name, data)
        return list(verify(self.storage))

    def repair(self, **options: Any) -> Repair:
        return repaired(self.storage, **options)

    def differing(self) -> list[str]:
        """Names of files that are not as in the undamaged store."""
        now = snapshot(self.storage)
        return sorted(name for name in now.keys() | self.whole.keys() if now.get(name) != self.whole.get(name))

    def check(self, changes: Changes) -> None:
        """The changed files are named as damage, and no others; a repair makes the store what it was."""
        findings = self.examine(changes)
        assert {finding.file for finding in findings if finding.is_damage} == set(changes)
        assert self.repair().after.damage == []
        assert self.differing() == []

    def check_unfinished(self, name: str) -> None:
        """That file is deleted, which is no damage, and is said; a repair and the next run make it again."""
        findings = self.examine({name: None})
        assert not [finding for finding in findings if finding.is_damage]
        said = {(finding.kind, finding.file) for finding in findings}
        assert said & {(Kind.UNFINISHED, name), (Kind.LITTER, data_of(self.whole, name))}
        assert self.repair().after.damage == []
        made = store.open(self.storage)
        label_shard(labeller_for(made, BEGUN), 1)
        assert self.differing() == []


def repaired(storage: Storage, *, weight: float | None = None, inputs: tuple[str, ...] = ()) -> Repair:
    """A repair by the teachers that were at work, or by one of other weights."""

    def open_labeller(made: Store, label_set: str) -> Labeller:
        return labeller_for(made, label_set, weight=weight)

    found = verify_store(storage)
    return repair(storage, found, open_labeller=open_labeller, inputs=inputs)


def data_of(whole: Files, record: str) -> str:
    """Name of the data file that a record names; the record's own where it is none."""
    folder = record.rsplit("/", 1)[0]
    return f"{folder}/{json.loads(whole[record]).get('file', '')}"


def flipped(data: bytes, position: int) -> bytes:
    """``data`` with one bit changed, counted from its beginning."""
    changed = bytearray(data)
    changed[position // 8] ^= 1 << position % 8
    return bytes(changed)


def is_no_damage_when_deleted(name: str) -> bool:
    """What a run makes last may be not there yet: copies, manifests and what is not sealed."""
    return name.endswith(("copy.json", "manifest.json")) or name == f"labels/{BEGUN}/00001.json"


def test_the_store_has_every_kind_of_file(whole: Files, bench: Bench) -> None:
    kinds = {name.split("/")[0] for name in whole}
    assert kinds == {"store.json", "store.copy.json", "corpus", "rejects", "tokens", "labels"}
    assert len(whole) == 41
    findings = bench.examine({})
    assert [(finding.kind, finding.family) for finding in findings] == [(Kind.UNFINISHED, f"labels/{BEGUN}")]
    assert findings[0].problem == "2 of 3 shards are not committed"


@pytest.mark.parametrize("times", [60, pytest.param(1_000, marks=SLOW)])
def test_every_flipped_bit_is_found_named_and_repaired(bench: Bench, times: int) -> None:
    chance = random.Random(4)
    names = sorted(bench.whole)
    for turn in range(times):
        name = names[turn % len(names)]
        data = bench.whole[name]
        bench.check({name: flipped(data, chance.randrange(8 * len(data)))})
    assert bench.cases == times


@pytest.mark.parametrize("times", [40, pytest.param(300, marks=SLOW)])
def test_every_file_that_is_cut_short_is_found_named_and_repaired(bench: Bench, times: int) -> None:
    """To no bytes, to all but the last one, and anywhere between."""
    chance = random.Random(5)
    names = sorted(bench.whole)
    for turn in range(times):
        name = names[turn % len(names)]
        size = len(bench.whole[name])
        kept = (0, size - 1, chance.randrange(size))[turn // len(names) % 3 if times > 100 else turn % 3]
        bench.check({name: bench.whole[name][:kept]})
    assert bench.cases == times


def test_something_behind_the_end_of_a_file_is_found_named_and_repaired(bench: Bench) -> None:
    for name in sorted(bench.whole)[::3]:
        bench.check({name: bench.whole[name] + b"\0"})
    assert bench.cases == 14


def test_every_file_that_is_gone_is_found_named_and_repaired(bench: Bench) -> None:
    for name in sorted(bench.whole):
        if is_no_damage_when_deleted(name):
            bench.check_unfinished(name)
        else:
            bench.check({name: None})
    assert bench.cases == len(bench.whole)


@pytest.mark.parametrize("folder", ["corpus", f"tokens/{ENCODING}", "labels/one"])
def test_shards_that_lost_their_data_records_and_manifest_are_repaired(bench: Bench, folder: str) -> None:
    manifest = f"{folder}/{MANIFEST}"
    changes: Changes = {manifest: flipped(bench.whole[manifest], 0)}
    for record in (f"{folder}/00000.json", f"{folder}/00001.json"):
        changes |= {record: bench.whole[record][:-9], data_of(bench.whole, record): None}
    bench.examine(changes)
    assert bench.repair().after.damage == []
    assert bench.differing() == []


def test_a_lost_record_of_a_sealed_corpus_is_named_once_also_beside_a_damaged_manifest(bench: Bench) -> None:
    manifest = bench.whole["corpus/manifest.json"]
    for changes in ({}, {"corpus/manifest.json": manifest[: len(manifest) // 2]}):
        findings = bench.examine({"corpus/00001.json": None, **changes})
        assert [finding.file for finding in findings].count("corpus/00001.json") == 1
        assert bench.repair().after.damage == []


def test_swapped_files_of_two_shards_are_found_named_and_repaired(bench: Bench) -> None:
    pairs = []
    for folder in ("corpus", f"tokens/{ENCODING}", "labels/one"):
        for end in (".arrow", ".json"):
            shards = [name for name in sorted(bench.whole) if name.startswith(f"{folder}/0000") and name.endswith(end)]
            pairs += itertools.combinations(shards, 2)
    for one, other in pairs:
        bench.check({one: bench.whole[other], other: bench.whole[one]})
    assert bench.cases == 18


def test_a_record_of_another_shard_or_family_is_found_named_and_repaired(bench: Bench) -> None:
    for name, other in [
        ("corpus/00000.json", "corpus/00001.json"),
        ("labels/one/00002.json", "labels/one/00000.json"),
        ("labels/one/00002.json", "labels/second/00002.json"),
        (f"tokens/{ENCODING}/00001.json", "corpus/00001.json"),
        (f"labels/{BEGUN}/00001.json", "labels/one/00000.json"),
    ]:
        findings = bench.examine({name: bench.whole[other]})
        named = {finding.file for finding in findings if finding.is_damage}
        assert named & {name, data_of(bench.whole, other).replace(other.rsplit("/", 1)[0], name.rsplit("/", 1)[0])}
        assert bench.repair().after.damage == []
        assert bench.differing() == []


def test_a_data_file_of_another_store_under_the_right_name_is_found_named_and_repaired(
    bench: Bench, foreign: Files
) -> None:
    for folder in ("corpus", f"tokens/{ENCODING}", "labels/second", "rejects"):
        ours, theirs = (
            sorted(name for name in files if name.startswith(f"{folder}/") and name.endswith(".arrow"))
            for files in (bench.whole, foreign)
        )
        for name, other in zip(ours, theirs, strict=True):
            if bench.whole[name] != foreign[other]:
                bench.check({name: foreign[other]})
    assert bench.cases >= 9


def twins_lost(changes: Changes) -> list[str]:
    """Files that are kept twice, of which ``changes`` spares neither."""
    return [name for name in changes if copy_name(name) in changes]


def damage_some(whole: Files, chance: random.Random) -> dict[str, bytes | None]:
    """Two to five files, each flipped, cut, deleted or, where others tell what it was, made another file's."""
    changes: dict[str, bytes | None] = {}
    for name in chance.sample(sorted(whole), chance.randint(2, 5)):
        data = whole[name]
        kinds = [flipped(data, chance.randrange(8 * len(data))), data[: chance.randrange(len(data))], None]
        if not name.endswith(("card.json", "copy.json", "store.json")):
            kinds.append(whole[chance.choice([other for other in sorted(whole) if not are_like(name, other)])])
        changes[name] = chance.choice(kinds)
    # Tokens without their manifest and a record are not finished, and no run finishes those of labels that are there.
    if changes.get(f"tokens/{ENCODING}/manifest.json", b"") is None:
        changes[f"tokens/{ENCODING}/manifest.json"] = b""
    return changes


def are_like(name: str, other: str) -> bool:
    """Whether they are records of one shard, or manifests, of which only others tell which family's they are."""
    return name.rsplit("/", 1)[-1] == other.rsplit("/", 1)[-1]


@pytest.mark.parametrize("times", [60, pytest.param(1_000, marks=SLOW)])
def test_of_several_damages_at_once_all_are_found_and_what_can_be_restored_is(
    bench: Bench, files: tuple[str, ...], times: int
) -> None:
    chance = random.Random(6)
    restored = 0
    for _ in range(times):
        changes = damage_some(bench.whole, chance)
        lost = twins_lost(changes)
        if "store.json" in lost:
            continue
        findings = bench.examine(changes)
        assert findings
        done = bench.repair()
        if lost:
            unnamed = (f"labels/{BEGUN}/0", *map(copy_name, lost))
            left = {name for name in bench.differing() if not name.startswith(unnamed)}
            assert left <= {finding.file for finding in done.after.findings}
            assert done.after.damage
            continue
        assert (done.after.damage, done.obstacles) == ([], [])
        make(bench.storage, files)  # without its manifest and a record, a family is one that is not finished
        assert bench.differing() == []
        restored += 1
    assert restored > 0.8 * times


@pytest.mark.parametrize("kind", ["flipped", "cut", "gone"])
@pytest.mark.parametrize("folder", [f"tokens/{ENCODING}", "labels/one", f"labels/{BEGUN}"])
def test_a_card_that_is_lost_with_its_copy_is_named_and_all_else_is_restored(
    bench: Bench, folder: str, kind: str
) -> None:
    card, copy = f"{folder}/card.json", f"{folder}/card.copy.json"
    lose = {"flipped": lambda data: flipped(data, 99), "cut": lambda data: data[:-9], "gone": lambda data: None}[kind]
    changes = {name: lose(bench.whole[name]) for name in (card, copy)}
    elsewhere = "corpus/00001.json"
    findings = bench.examine({**changes, elsewhere: b""})
    assert {card, elsewhere} <= {finding.file for finding in findings if finding.is_damage}
    done = bench.repair()
    assert card in {finding.file for finding in done.after.damage}
    assert bench.differing() == [copy, card]


@pytest.mark.parametrize("header", [b"", b"{}", None])
def test_a_store_whose_header_and_copy_are_both_lost_cannot_be_judged(bench: Bench, header: bytes | None) -> None:
    with pytest.raises(StoreMissingError if header is None else DamageError, match=r"store\.json"):
        bench.examine({"store.json": header, "store.copy.json": header})


def logits_of(made: Store, label_set: str) -> bytes:
    """As they are stored, of all rows."""
    return (
        made.dataset(f"labels/{label_set}").to_table().column("logits").combine_chunks().flatten().to_numpy().tobytes()
    )


def test_a_repair_that_comes_out_with_other_bytes_is_the_next_generation(bench: Bench) -> None:
    """As on another machine, whose kernels round otherwise. Everyone reads what was repaired."""
    bench.examine({})
    made = store.open(bench.storage)
    original = made.label_set("one").record(1)
    assert original is not None
    for generation, weight in enumerate([7.0, 8.0, 3.0], start=1):
        before, held = logits_of(made, "one"), made.label_set("one").record(1)
        assert held is not None
        name = f"labels/one/{held.file}"
        bench.storage.put(name, flipped(bench.storage.read(name).to_pybytes(), 4_000))
        done = bench.repair(weight=weight)
        assert (done.redone, done.after.damage, done.removed) == ([("labels/one", 1)], [], [name])
        assert f"00001.g{generation}.json" in bench.storage.list("labels/one")
        assert logits_of(made, "one") != before
        check_all_read_the_same(made)
    assert made.label_set("one").record(1) == original
    assert bench.differing() == [f"labels/one/00001.g{generation}.json" for generation in (1, 2, 3)]


def check_all_read_the_same(made: Store) -> None:
    """SQL, the stream and the data set."""
    logits = np.frombuffer(logits_of(made, "one"), np.float16).reshape(ROWS, 2)
    asked = made.sql("SELECT logits FROM labels WHERE label_set = 'one' ORDER BY row").column("logits").to_pylist()
    assert np.array_equal(np.array(asked, np.float16), logits)
    streamed = np.empty_like(logits)
    for batch in made.stream(labels="one", columns=("logits",), batch_size=5):
        streamed[batch["row"]] = batch["logits"]
    assert np.array_equal(streamed, logits)


def forge(made: Store, path: str, shard: int, data: bytes, *, rows: pa.RecordBatch | None = None) -> str:
    """Make ``data`` what the records of a family say that a shard is, as if these were its rows; its name."""
    family = made.family(path)
    held = family.record(shard)
    assert held is not None
    sha256 = hashlib.sha256(data).hexdigest()
    statistics = held.statistics if rows is None else shard_statistics(path, pa.table(rows))
    file = data_name(shard, sha256)
    record = dataclasses.replace(held, file=file, bytes=len(data), sha256=sha256, statistics=statistics)
    made.storage.put(f"{path}/{record.file}", data)
    made.storage.put(f"{path}/{record_name(shard)}", to_json(dataclasses.asdict(record)))
    made.storage.remove_dead(f"{path}/{held.file}")
    if made.storage.remove_dead(f"{path}/{MANIFEST}"):
        assert family.seal()
    return f"{path}/{record.file}"


def arrow_file(table: pa.Table | pa.RecordBatch, *, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()


def read_file(storage: Storage, name: str) -> pa.RecordBatch:
    return pa.ipc.open_file(storage.read(name)).get_batch(0)


def test_a_corpus_that_another_version_compressed_otherwise_is_repaired_with_the_same_rows(bench: Bench) -> None:
    bench.examine({})
    made = store.open(bench.storage)
    table = made.dataset("corpus").to_table()
    record = made.corpus.record(1)
    assert record is not None
    name = forge(made, "corpus", 1, arrow_file(read_file(bench.storage, f"corpus/{record.file}"), compression="lz4"))
    assert bench.repair().after.damage == []
    bench.storage.put(name, b"")
    done = bench.repair()
    assert (done.redone, done.after.damage, done.removed) == ([("corpus", 1)], [], [name])
    assert made.corpus.record(1) == record
    assert "00001.g1.json" in bench.storage.list("corpus")
    assert made.dataset("corpus").to_table() == table


class Place:
    """A store on a disk, made from an input file of its own.

    Attributes:
        root: of the store.
        input: the file.
        whole: the files of the store.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (file,) = write_input(folder, rows=ROWS)
        self.input = Path(file)
        self.root = folder / "a.store"
        make(LocalStorage(self.root), (file,))
        self.whole = self.files()

    @property
    def storage(self) -> LocalStorage:
        return LocalStorage(self.root)

    def files(self) -> Files:
        return snapshot(self.storage)

    def first(self, folder: str, end: str = ".arrow") -> str:
        """Name of the first data file, or other file, of a family."""
        return next(name for name in sorted(self.whole) if name.startswith(f"{folder}/") and name.endswith(end))

    def flip(self, *names: str) -> None:
        for name in names:
            (self.root / name).write_bytes(flipped(self.whole[name], 4_000))

    def differing(self) -> list[str]:
        now = self.files()
        return sorted(name for name in now.keys() | self.whole.keys() if now.get(name) != self.whole.get(name))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.mark.parametrize("loss", ["gone", "changed"])
def test_texts_whose_input_is_lost_stay_damaged_and_all_else_is_restored(place: Place, loss: str) -> None:
    corpus, labels = place.first("corpus"), place.first("labels/one")
    place.flip(corpus, labels, "labels/second/card.json")
    place.input.unlink() if loss == "gone" else place.input.write_text('{"text": "another"}\n')
    done = repaired(place.storage)
    problem = "needs its input" if loss == "gone" else "has changed since"
    assert [obstacle.startswith("corpus: ") and problem in obstacle for obstacle in done.obstacles] == [True]
    assert [finding.file for finding in done.after.damage] == [corpus]
    assert place.differing() == [corpus]


def test_tokens_of_texts_that_are_lost_stay_damaged_too(place: Place) -> None:
    """Labels were made from the tokens, which are lost."""
    lost = [place.first("corpus"), place.first("labels/one"), place.first(f"tokens/{ENCODING}")]
    place.flip(*lost)
    place.input.unlink()
    done = repaired(place.storage)
    assert [obstacle.split(":")[0] for obstacle in done.obstacles] == ["corpus", f"tokens/{ENCODING}", "labels/one"]
    assert [finding.file for finding in done.after.damage] == [lost[0], lost[2], lost[1]]
    assert place.differing() == lost


@pytest.mark.parametrize("lost", ["corpus", "rejects"])
def test_texts_come_back_from_an_input_that_was_moved(place: Place, tmp_path: Path, lost: str) -> None:
    place.flip(place.first(lost))
    moved = shutil.move(place.input, tmp_path / "moved.jsonl")
    assert repaired(place.storage, inputs=(str(moved),)).after.damage == []
    assert place.differing() == []


def test_labels_of_a_teacher_that_is_gone_stay_damaged_and_others_are_restored(place: Place) -> None:
    one, second = place.first("labels/one"), place.first("labels/second")
    place.flip(one, second)

    def open_labeller(made: Store, label_set: str) -> Labeller:
        if label_set == "one":
            raise EngineError("the teacher is gone")
        return labeller_for(made, label_set)

    done = repair(place.storage, verify_store(place.storage), open_labeller=open_labeller)
    assert done.obstacles == ["labels/one: the teacher is gone"]
    assert place.differing() == [one]


def test_a_file_that_ends_the_process_that_reads_it_is_named_and_the_others_are_checked(place: Place) -> None:
    """As a disk does it that gives no more than a part of a file: here it is cut while it is being read."""
    sha256, size = "a" * 64, 2 << 30
    fatal = place.root / f"labels/{BEGUN}" / data_name(1, sha256)
    with fatal.open("wb") as file:
        file.truncate(size)
    record = place.root / f"labels/{BEGUN}/00001.json"
    said = from_json(place.storage, f"labels/{BEGUN}/00001.json")
    record.write_bytes(to_json({**said, "file": fatal.name, "bytes": size, "sha256": sha256}))
    before, behind = place.first("corpus"), place.first("labels/second")
    place.flip(before, behind)

    def cut(_: str, read: int, __: int | None) -> None:
        if read == 8 and fatal.stat().st_size:  # behind the refused rows, three shards of texts and three of tokens
            wait_until_mapped(fatal)
            os.truncate(fatal, 0)

    found = verify_store(place.storage, tick=cut)
    assert {finding.file for finding in found.damage} == {before, behind, f"labels/{BEGUN}/{fatal.name}"}
    ended = next(finding for finding in found.damage if finding.file.endswith(fatal.name))
    assert (ended.kind, ended.family, ended.shard) == (Kind.DAMAGED, f"labels/{BEGUN}", 1)
    assert ended.problem == "has the bytes of its record, and reading it ended the process: SIGBUS"


def wait_until_mapped(file: Path) -> None:
    """Wait until a child of this process has ``file`` in its memory."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for maps in Path("/proc").glob("[0-9]*/maps"):
            with contextlib.suppress(OSError):
                if maps.parent.name != str(os.getpid()) and str(file) in maps.read_text():
                    return
        time.sleep(0.01)
    raise TimeoutError(f"nobody reads {file}")


def wild_offsets(type_: pa.DataType, rows: int) -> pa.Array:
    """A column whose first value lies a gigabyte behind its buffer; a shallow look at it finds nothing wrong."""
    offsets = np.full(rows + 1, 1 << 30, np.int32)
    offsets[0], offsets[-1] = 0, 8
    bits, buffers = pa.py_buffer(offsets.tobytes()), [pa.py_buffer(b"12345678")]
    if pa.types.is_list(type_):
        return pa.Array.from_buffers(type_, rows, [None, bits], children=[pa.array([0] * 8, type_.value_type)])
    return pa.Array.from_buffers(type_, rows, [None, bits, *buffers])


@pytest.mark.parametrize("type_", [pa.string(), pa.binary(), pa.int64()])
def test_refused_rows_that_point_outside_their_file_are_named(bench: Bench, type_: pa.DataType) -> None:
    """Read as whole numbers, such strings end the process; read as they are, they are refused."""
    bench.examine({})
    header = from_json(bench.storage, "store.json")
    schema = rejects_schema()
    columns = {
        field.name: pa.array(["x"] * 5, field.type) if field.type == pa.string() else pa.array(range(5))
        for field in schema
    }
    columns["reason" if type_ != pa.int64() else "source_row"] = wild_offsets(
        pa.string() if type_ == pa.int64() else type_, 5
    )
    data = arrow_file(pa.record_batch(columns))
    sha256 = hashlib.sha256(data).hexdigest()
    file = data_name(0, sha256)
    bench.storage.put(f"rejects/{file}", data)
    changed = to_json({**header, "rejects": {"file": file, "rows": 5, "bytes": len(data), "sha256": sha256}})
    bench.storage.put("store.json", changed)
    bench.storage.put("store.copy.json", changed)
    named = [finding.file for finding in verify(bench.storage) if finding.is_damage]
    assert named == [f"rejects/{file}"]


def test_tokens_that_point_outside_their_file_are_named_and_the_labels_are_not(bench: Bench) -> None:
    bench.examine({})
    made = store.open(bench.storage)
    path = f"tokens/{ENCODING}"
    schema = made.schema(path)
    columns = [pa.array(range(4, 8)), wild_offsets(schema.field("input_ids").type, 4), pa.array([False] * 4)]
    name = forge(made, path, 1, arrow_file(pa.record_batch(columns, schema=schema)))
    assert [finding.file for finding in verify(bench.storage) if finding.is_damage] == [name]


def changed_column(name: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What makes another batch, which differs in one column."""

    def make_other(batch: pa.RecordBatch) -> pa.RecordBatch:
        index = batch.schema.get_field_index(name)
        column = pa.array(change(batch.column(name).to_pylist()), batch.schema.field(name).type)
        return batch.set_column(index, batch.schema.field(name), column)

    return make_other


FORGED = {
    "rows": ("labels/one", changed_column("row", lambda rows: rows[::-1]), "its row numbers are not 4 to 7"),
    "rows of texts": ("corpus", changed_column("row", lambda rows: [0, *rows[1:]]), "its row numbers are not 4 to 7"),
    "prediction": (
        "labels/one",
        changed_column("prediction", lambda classes: [1 - classes[0], *classes[1:]]),
        "its predictions do not follow from its logits",
    ),
    "confidence": ("labels/one", changed_column("confidence", lambda all_: [0.5, *all_[1:]]), "its confidence does not"),
    "entropy": ("labels/one", changed_column("entropy", lambda all_: [0.1, *all_[1:]]), "its entropy does not follow"),
    "margin": ("labels/one", changed_column("margin", lambda all_: [0.3, *all_[1:]]), "its margin does not follow"),
    "no logits": ("labels/one", changed_column("logits", lambda all_: [None, *all_[1:]]), "logits is null in other rows"),
    "n_tokens": ("labels/one", changed_column("n_tokens", lambda all_: [9, *all_[1:]]), "other numbers of tokens than"),
    "columns": ("corpus", lambda batch: batch.select(["row", "id", "text"]), "has the columns row, id, text, with"),
    "text": ("corpus", changed_column("id", lambda ids: [*ids[:-1], ids[0]]), ""),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_file_that_is_whole_and_contradicts_its_neighbours_is_named(bench: Bench, what: str) -> None:
    """Its record has its hash: who wrote it was wrong, or lies. Equal ids are not looked for."""
    path, make_other, problem = FORGED[what]
    bench.examine({})
    made = store.open(bench.storage)
    record = made.family(path).record(1)
    assert record is not None
    rows = make_other(read_file(bench.storage, f"{path}/{record.file}"))
    name = forge(made, path, 1, arrow_file(rows), rows=rows if path != "corpus" else None)
    damage = [finding for finding in verify(bench.storage) if finding.is_damage]
    assert [finding.file for finding in damage] == ([name] if problem else [])
    assert all(re.search(problem, finding.problem) for finding in damage)


@pytest.mark.parametrize("data", [b"", b"no Arrow file", b"ARROW1\0\0ARROW1"])
def test_a_file_that_is_no_arrow_file_is_named(bench: Bench, data: bytes) -> None:
    bench.examine({})
    name = forge(store.open(bench.storage), "labels/second", 1, data)
    (finding,) = [finding for finding in verify(bench.storage) if finding.is_damage]
    assert (finding.file, finding.shard) == (name, 1)
    assert finding.problem.startswith("has the bytes of its record and cannot be read: ")


SMALL = {
    "a header that differs from its copy": ("store.copy.json", {"rows": 99}, "differs from store.json"),
    "a card that is not the sealed one": ("labels/one/card.json", {"model": "x"}, "is not what was written there"),
    "a copy that is not the sealed one": ("labels/one/card.copy.json", {"model": "x"}, "is not what was written there"),
    "a manifest of another card": ("corpus/manifest.json", {"card_sha256": "0" * 64}, "was sealed with another card"),
    "a manifest of no shards": ("labels/one/manifest.json", {"records": []}, "does not list the shards 0 to 2"),
    "a manifest of nothing": ("labels/one/manifest.json", {"records": None}, "records is None, and must be a list"),
    "a record of other rows": ("labels/one/00001.json", {"first_row": 5}, "says rows 5 to 8, not 4 to 7"),
    "a record of another file": ("labels/one/00001.json", {"file": "x"}, "is not a record"),
    "a record of another shard": ("labels/one/00001.json", {"shard": 2}, "is not a record"),
    "a record with other statistics": (f"labels/{BEGUN}/00001.json", {"statistics": {}}, "statistics are not those"),
}


@pytest.mark.parametrize("what", SMALL)
def test_a_small_file_that_is_whole_and_contradicts_others_is_named_and_repaired(bench: Bench, what: str) -> None:
    name, change, problem = SMALL[what]
    changed = {**json.loads(bench.whole[name]), **change}
    changed.pop("check")
    findings = bench.examine({name: to_json(changed)})
    assert any(problem in finding.problem for finding in findings if finding.is_damage)
    done = bench.repair()
    if what != "a record with other statistics":  # nobody knows which of the two is right, and the rows are
        assert done.after.damage == []
        assert bench.differing() == []


@pytest.mark.parametrize("change", [{"classes": ["bad", "ugly"]}, {"encoding_sha256": "0" * 64}])
def test_a_label_set_of_other_classes_or_another_encoding_is_named(bench: Bench, change: dict[str, Any]) -> None:
    card = json.loads(bench.whole[f"labels/{BEGUN}/card.json"])
    card.pop("check")
    data = to_json({**card, **change})
    findings = bench.examine({f"labels/{BEGUN}/card.json": data, f"labels/{BEGUN}/card.copy.json": data})
    assert [(finding.kind, finding.file) for finding in findings if finding.is_damage] == [
        (Kind.MISMATCH, f"labels/{BEGUN}/card.json")
    ]


@pytest.mark.parametrize("lost", ["tokens", "texts"])
def test_labelling_reads_no_damaged_shard(bench: Bench, files: tuple[str, ...], lost: str) -> None:
    """It ends with what is damaged, and never labels wrong text."""
    chance = random.Random(7)
    kept = {name: None for name in bench.whole if lost == "texts" and name.startswith("tokens/")}
    family = "corpus" if lost == "texts" else f"tokens/{ENCODING}"
    name = next(name for name in sorted(bench.whole) if name.startswith(f"{family}/00002-"))
    data = bench.whole[name]
    for _ in range(30):
        bench.examine({**kept, name: flipped(data, chance.randrange(8 * len(data)))})
        made = begin(bench.storage, files)
        freeze_card(made, "third")
        with pytest.raises(DamageError, match=f"{name} is damaged: its sha256 is not that of its record"):
            label_shard(labeller_for(made, "third"), 2)
        assert made.label_set("third").records() == {}


def verified(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, rows and notes of ``engine verify``."""
    capsys.readouterr()
    code = run(["verify", *map(str, arguments), *([] if "--format" in arguments else ["--format", "jsonl"])])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_the_command_names_damage_and_ends_with_4(place: Place, capsys) -> None:
    code, rows, err = verified(capsys, place.root)
    assert (code, [row["kind"] for row in rows]) == (OK, ["unfinished"])
    assert rows[0]["problem"] == "2 of 3 shards are not committed"
    assert err.endswith("a.store: 14 data files read, 0 findings of damage\n")
    name = place.first("labels/one")
    place.flip(name)
    code, rows, err = verified(capsys, place.root)
    assert code == DAMAGED
    (row,) = [row for row in rows if row["kind"] == "damaged"]
    assert (row["family"], row["shard"], row["file"]) == ("labels/one", 0, name)
    assert re.fullmatch("has the sha256 [0-9a-f]{16}, and its record says [0-9a-f]{16}", row["problem"])
    assert err.endswith("1 finding of damage\n")
    assert place.differing() == [name]


def test_the_command_repairs_texts_from_where_the_input_is_now(place: Place, tmp_path: Path, capsys) -> None:
    name = place.first("corpus")
    place.flip(name)
    moved = shutil.move(place.input, tmp_path / "moved.jsonl")
    code, _, err = verified(capsys, place.root, "--repair")
    assert code == DAMAGED
    assert f"could not be made again: corpus: {place.root} needs its input {place.input}" in err
    assert f"still damaged: {name}" in err
    assert place.differing() == [name]
    code, _, err = verified(capsys, place.root, "--repair", "--input", moved)
    assert (code, "made again corpus, shard 0" in err) == (OK, True)
    assert place.differing() == []


def test_the_command_restores_small_files_and_removes_litter(place: Place, capsys) -> None:
    """Not what a living writer holds, nor what no writer of a store made."""
    place.flip("corpus/manifest.json")
    (place.root / "store.json").unlink()
    (place.root / "labels/one/00000-0123456789abcdef.arrow").write_bytes(b"of a writer that lost")
    (place.root / f"labels/{BEGUN}/00002-0123456789abcdef.arrow").write_bytes(b"not committed yet, perhaps")
    (place.root / "labels/one/notes.txt").write_text("the user's own")
    held = place.storage.stage()
    code, rows, err = verified(capsys, place.root, "--repair")
    held.discard()
    assert code == OK
    assert sorted(row["kind"] for row in rows) == ["damaged", *["litter"] * 4, "missing", "unfinished"]
    assert "restored store.json\n" in err
    assert "restored corpus/manifest.json\n" in err
    assert "removed labels/one/00000-0123456789abcdef.arrow\n" in err
    (place.root / f"labels/{BEGUN}/00002-0123456789abcdef.arrow").unlink()
    assert (place.root / "labels/one/notes.txt").read_text() == "the user's own"
    assert place.differing() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'STORE'"),
        (["nowhere", "--teacher", "x"], "give --repair too"),
        (["nowhere", "--input", "x"], "give --repair too"),
        (["nowhere", "--format", "xml"], "'xml' is not one of"),
    ],
)
def test_usage_errors_end_with_2(arguments: list[str], message: str, capsys) -> None:
    assert run(["verify", *arguments]) == USAGE
    assert message in capsys.readouterr().err


def test_what_is_no_store_ends_with_1_and_what_cannot_be_judged_with_4(tmp_path: Path, capsys) -> None:
    assert run(["verify", str(tmp_path)]) == 1
    assert "is not a store: it has no store.json" in capsys.readouterr().err
    (tmp_path / "store.json").write_bytes(b"{}")
    assert run(["verify", str(tmp_path)]) == DAMAGED
    assert "store.json and its copy are both damaged" in capsys.readouterr().err


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small teacher that nobody trained, another one, and a store that the first one labelled."""
    folder = tmp_path_factory.mktemp("real")
    inputs = write_input(folder, rows=60)
    tokenizer = make_tokenizer(Path(inputs[0]).read_text().splitlines(), vocab_size=200, positions=32)
    shape = Shape(hidden=16, layers=1, heads=2, positions=32)
    for seed, name in enumerate(["teacher", "other"]):
        make_model(folder / name, tokenizer, shape, classes=CLASSES, seed=seed)
    config = engine.LabelConfig(
        store=str(folder / "a.store"), teacher=str(folder / "teacher"), inputs=inputs, shards=3, devices=("cpu",)
    )
    engine.label(config)
    return folder


@pytest.fixture
def copied(real: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return Path(shutil.copytree(real / "a.store", tmp_path / "a.store"))


def test_a_store_is_repaired_with_its_teacher_wherever_that_is_now(real: Path, copied: Path, tmp_path: Path, capsys):
    whole = snapshot(LocalStorage(copied))
    families = ("corpus/", "tokens/", "labels/", "rejects/")
    lost = [next(n for n in sorted(whole) if n.startswith(family) and n.endswith(".arrow")) for family in families]
    for name in [*lost, "corpus/00000.json"]:
        (copied / name).write_bytes(flipped(whole[name], 2_001))
    (copied / "labels/teacher/card.json").unlink()
    damaged = snapshot(LocalStorage(copied))
    code, rows, _ = verified(capsys, copied)
    assert (code, {row["file"] for row in rows}) == (DAMAGED, {*lost, "corpus/00000.json", "labels/teacher/card.json"})
    code, _, err = verified(capsys, copied, "--repair")
    assert (code, err.count("made again")) == (OK, 4)
    assert snapshot(LocalStorage(copied)) == whole
    for name, data in damaged.items():
        (copied / name).write_bytes(data)
    moved = shutil.copytree(real / "teacher", tmp_path / "moved")
    code, _, err = verified(capsys, copied, "--repair", "--teacher", moved)
    assert (code, err.count("made again")) == (OK, 4)
    assert snapshot(LocalStorage(copied)) == whole
    assert verified(capsys, copied)[:2] == (OK, [])


@pytest.mark.parametrize(("teacher", "problem"), [("other", "was begun with weights_sha256"), ("gone", "gone")])
def test_another_teacher_repairs_nothing(real: Path, copied: Path, capsys, teacher: str, problem: str) -> None:
    name = next(iter(sorted(copied.glob("labels/*/*.arrow"))))
    name.write_bytes(flipped(name.read_bytes(), 2_001))
    before = snapshot(LocalStorage(copied))
    code, _, err = verified(capsys, copied, "--repair", "--teacher", real / teacher)
    assert code == DAMAGED
    assert "could not be made again: labels/teacher: " in err
    assert problem in err
    assert snapshot(LocalStorage(copied)) == before


@pytest.mark.parametrize("gone", [r"corpus/.*", r"corpus/(00001.*|manifest\.json)"])
def test_texts_that_are_gone_without_a_trace_are_missed_by_what_was_made_of_them(bench: Bench, gone: str) -> None:
    """Their records and the manifest are gone too, so that the corpus by itself looks like one that is not finished."""
    findings = bench.examine({name: None for name in bench.whole if re.fullmatch(gone, name)})
    missing = {finding.file for finding in findings if finding.kind is Kind.MISSING}
    assert "corpus/00001.json" in missing
    assert all(name.startswith("corpus/") for name in missing)
    assert bench.repair().after.damage == []
    assert bench.differing() == []


def test_a_generation_that_is_gone_below_a_later_one_is_missed(bench: Bench) -> None:
    record = bench.whole["labels/one/00001.json"]
    findings = bench.examine({"labels/one/00001.g2.json": record})
    assert [(finding.kind, finding.file) for finding in findings if finding.is_damage] == [
        (Kind.MISSING, "labels/one/00001.g1.json")
    ]
