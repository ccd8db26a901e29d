"""Whatever call fails, whenever, whoever is killed and however many write at once: run again, the store is the same."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pytest
import racing
from faults import Fault, FaultyStorage, Killed, snapshot
from obstore.store import MemoryStore
from whole_run import (
    APPENDED_REJECTED,
    REJECTED,
    append_more,
    begin,
    freeze_card,
    label,
    labeller_for,
    whole_run,
    write_input,
    write_more,
)

import store
from engine.errors import EngineError
from engine.labelling.shard import label_shard
from store import Store
from store.errors import MismatchError, StoreError
from store.format.run_log import read_runs
from store.format.shard import read_shard
from store.storage import LocalStorage, MemoryStorage, Storage
from store.storage.objects.cache import ReadCache
from store.storage.objects.storage import ObjectStorage
from store.verify.repair import remove_litter
from store.verify.verify import verify

Files = dict[str, bytes]
Run = Callable[[Storage, tuple[str, ...]], object]
Result = TypeVar("Result")
TEXTS = ("store", "corpus/", "rejects/")
ROWS = 9
APPENDED = 6
SLOW = (pytest.mark.slow, pytest.mark.timeout(3_600))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return write_input(tmp_path_factory.mktemp("input"), rows=ROWS)


@pytest.fixture(scope="module")
def undisturbed(files: tuple[str, ...]) -> Files:
    storage = MemoryStorage()
    one_run(storage, files)
    return snapshot(storage)


def rows_of(made: Store, path: str) -> list[int]:
    """Row numbers of a family, in the order of its shards."""
    family = made.family(path)
    tables = [read_shard(family, record, check_hash=True).select(["row"]) for record in family.records().values()]
    return pa.concat_tables(tables).column("row").to_pylist()


def check_whole(storage: Storage, undisturbed: Files) -> None:
    """Same bytes, no damage, and each input row once: in the corpus and labelled, or refused."""
    assert snapshot(storage) == undisturbed
    assert not list(verify(storage))
    made = store.open(storage)
    rows, rejected = (ROWS, REJECTED)
    if made.header.appended:
        rows, rejected = ROWS + APPENDED, REJECTED + APPENDED_REJECTED
    inputs = [entry for segment in made.header.segments for entry in segment.inputs]
    assert sum(entry["rows"] for entry in inputs) == rows + rejected
    assert made.rejects().count_rows() == rejected
    for family in made.families():
        if family.path != "gold":
            assert rows_of(made, family.path) == list(range(rows))


def one_run(storage: Storage, files: tuple[str, ...]) -> None:
    """A whole run that always begins with the same shard, so that its calls have the same numbers."""
    random.seed(0)
    whole_run(storage, files)


def one_label_run(storage: Storage, _: tuple[str, ...]) -> None:
    """The part of `one_run` behind the texts."""
    random.seed(0)
    label(store.open(storage), "one")


def one_append_run(storage: Storage, files: tuple[str, ...]) -> None:
    """More rows behind those of `one_run`, and their labels."""
    random.seed(0)
    label(append_more(storage, tuple(str(Path(file).with_name("more.jsonl")) for file in files)), "one")


class Sweep:
    """Runs that go wrong in one way each, and what they leave. An equal state is gone on with once only.

    Args:
        run: what goes wrong.
        files: its inputs.
        start: files of the store before it.
        make: an empty storage.

    Attributes:
        calls: what an undisturbed run asks of its storage.
        end: what it makes.
        ended: how many runs ended in which way.
        storage: of the store.
    """

    def __init__(
        self, run: Run, files: tuple[str, ...], start: Files, make: Callable[[], Storage] = MemoryStorage
    ) -> None:
        self.ended: Counter[str] = Counter()
        self._run = lambda storage: run(storage, files)
        self._start = start
        self._make = make
        self._resumed: set[frozenset[tuple[str, bytes]]] = set()
        self._begin_again()
        undisturbed = FaultyStorage(self.storage)
        self._run(undisturbed)
        self.calls = undisturbed.calls
        self.end = snapshot(self.storage)
        check_whole(self.storage, self.end)

    def attempt(self, *runs: Mapping[int, Fault]) -> None:
        """A run with its faults after the other, and one without."""
        self._begin_again()
        for faults in runs:
            self._go_wrong(faults)
        self._resume()

    def _begin_again(self) -> None:
        self.storage = self._make()
        for name, data in self._start.items():
            self.storage.put(name, data)

    def _go_wrong(self, faults: Mapping[int, Fault]) -> None:
        storage = FaultyStorage(self.storage, faults)
        try:
            self._run(storage)
        except (OSError, StoreError, EngineError, Killed) as error:
            self.ended[type(error).__name__] += 1
        else:
            self.ended["no error"] += 1
            self._check_end(storage)

    def _check_end(self, storage: FaultyStorage) -> None:
        """A run that came to its end has finished the store, unless half an answer hid from it what is there."""
        if any(verb.startswith(("list", "read")) and fault is Fault.CUT for verb, fault in storage.struck):
            assert snapshot(self.storage).items() <= self.end.items()
        else:
            assert snapshot(self.storage) == self.end

    def _resume(self) -> None:
        state = frozenset(snapshot(self.storage).items())
        if state not in self._resumed:
            self._resumed.add(state)
            self._run(self.storage)
            assert snapshot(self.storage) == self.end


def one_fault_each(calls: list[str], *, every: bool) -> list[dict[int, Fault]]:
    """Each fault in each call; of the hundreds of calls that write a piece of a file, some have one."""
    faults = list(Fault)
    return [
        {number: fault}
        for number, call in enumerate(calls)
        for turn, fault in enumerate(faults)
        if every or call != "write" or number % 16 == 4 * turn
    ]


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize("run", [begin, one_label_run], ids=["texts", "labels"])
def test_any_fault_in_any_call_leaves_a_store_that_the_next_run_completes(files, undisturbed, run, every) -> None:
    start = {} if run is begin else {name: data for name, data in undisturbed.items() if name.startswith(TEXTS)}
    sweep = Sweep(run, files, start)
    for faults in one_fault_each(sweep.calls, every=every):
        sweep.attempt(faults)
    assert sweep.ended["Killed"] >= len(sweep.calls) // 4
    assert sweep.ended["OSError"] > sweep.ended["no error"] > 0


@pytest.mark.parametrize("times", [150, pytest.param(5_000, marks=SLOW)])
def test_any_two_faults_leave_a_store_that_the_next_run_completes(files, undisturbed, times) -> None:
    """Both in one run, or the second one in the run that goes on after the first."""
    chance, kinds = random.Random(2), list(Fault)
    sweep = Sweep(one_run, files, {})
    assert sweep.end == undisturbed
    for turn in range(times):
        one, other = ({chance.randrange(len(sweep.calls)): chance.choice(kinds)} for _ in range(2))
        sweep.attempt(one | other) if turn % 3 == 0 else sweep.attempt(one, other)
    assert sum(sweep.ended.values()) > 1.6 * times


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=SLOW)])
def test_any_fault_while_rows_are_appended_leaves_a_store_that_the_next_run_completes(
    files, undisturbed, every
) -> None:
    """Whatever happens, no file that was there before is another one."""
    write_more(Path(files[0]).parent, rows=APPENDED)
    sweep = Sweep(one_append_run, files, undisturbed)
    assert undisturbed.items() <= sweep.end.items()
    for faults in one_fault_each(sweep.calls, every=every):
        sweep.attempt(faults)
        assert undisturbed.items() <= snapshot(sweep.storage).items()
    assert sweep.ended["Killed"] >= len(sweep.calls) // 5
    assert sweep.ended["OSError"] > sweep.ended["no error"] > 0


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize("run", [begin, one_label_run, one_append_run], ids=["texts", "labels", "append"])
def test_so_it_is_in_a_bucket_of_which_nothing_can_be_removed(files, undisturbed, tmp_path, run, every) -> None:
    """Some of the faults, or all of them."""
    cache = ReadCache(tmp_path, limit=0)
    start = {name: data for name, data in undisturbed.items() if run is one_append_run or name.startswith(TEXTS)}
    write_more(Path(files[0]).parent, rows=APPENDED)
    sweep = Sweep(
        run,
        files,
        {} if run is begin else start,
        lambda: ObjectStorage("s3://bucket/store", client=MemoryStore(), cache=cache),
    )
    assert run is not one_label_run or sweep.end == undisturbed
    for faults in one_fault_each(sweep.calls, every=every)[:: 1 if every else 31]:
        sweep.attempt(faults)
    assert sweep.ended["OSError"] > sweep.ended["no error"] > 0


def rounds(few: int, many: int) -> list[Any]:
    """How often writers race: a few times, and many times in the slow form."""
    return [few, pytest.param(many, marks=SLOW)]


def race(writers: int, write: Callable[[int], Result]) -> list[Result]:
    """What ``write`` gives to each of so many threads that begin at the same time. Raises the first error."""
    barrier = threading.Barrier(writers)

    def begin(writer: int) -> Result:
        barrier.wait()
        return write(writer)

    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(begin, range(writers)))


def check_each_shard_was_committed_once(storage: Storage) -> None:
    """By what all runs noted."""
    noted = [(entry["family"], entry["shard"]) for run in read_runs(storage) for entry in run["shards"]]
    assert sorted(noted) == [("labels/one", shard) for shard in range(3)]


@pytest.mark.parametrize("times", rounds(4, 50))
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_threads_that_do_the_same_at_once_make_one_store_and_none_fails(
    files, undisturbed, tmp_path, kind, times
) -> None:
    for turn in range(times):
        storage = MemoryStorage() if kind == "memory" else LocalStorage(tmp_path / str(turn))
        writers = 2 + turn % 7
        race(writers, lambda _, storage=storage: whole_run(storage, files))
        check_whole(storage, undisturbed)
        check_each_shard_was_committed_once(storage)
        assert len(read_runs(storage)) == writers
        assert storage.list("tmp") == []


def race_of_processes(
    files: tuple[str, ...], races: Sequence[tuple[Path, Sequence[int | None]]], more: Sequence[tuple[str, ...]] = ()
) -> list[list[int]]:
    """Exit codes of the processes of each race; see `racing`."""
    rounds_ = [(str(folder), kills) for folder, kills in races]
    request = json.dumps({"files": files, "rounds": rounds_, "more": more})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, racing.__file__]
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("times", rounds(4, 50))
def test_processes_that_do_the_same_at_once_make_one_store_and_none_fails(files, undisturbed, tmp_path, times) -> None:
    races = [(tmp_path / str(turn), [None] * (2 + turn % 7)) for turn in range(times)]
    assert race_of_processes(files, races) == [[0] * len(kills) for _, kills in races]
    for folder, _ in races:
        storage = LocalStorage(folder)
        check_whole(storage, undisturbed)
        check_each_shard_was_committed_once(storage)
        assert storage.list("tmp") == []


@pytest.mark.parametrize("times", rounds(4, 50))
def test_two_writers_finish_beside_one_that_is_killed_anywhere(files, undisturbed, tmp_path, times) -> None:
    """What the dead one began is nobody's: it is in no one's way, and can be removed."""
    chance, calls = random.Random(3), 240  # half of what a run alone asks for
    races = [(tmp_path / str(turn), [chance.randrange(calls), None, None]) for turn in range(times)]
    codes = race_of_processes(files, races)
    assert all(code in ([-signal.SIGKILL, 0, 0], [0, 0, 0]) for code in codes)  # some have less to do than that
    assert codes.count([0, 0, 0]) < times / 2
    for folder, _ in races:
        storage = LocalStorage(folder)
        storage.sweep()
        check_whole(storage, undisturbed)
        assert storage.list("tmp") == []


def check_appended_once(storage: Storage, before: Files, more: Sequence[tuple[str, ...]]) -> None:
    """Each file is a segment, each of its rows is there once or refused, and nothing is changed of what was there."""
    storage.sweep()
    assert before.items() <= snapshot(storage).items()
    made = store.open(storage)
    assert sorted(entry["path"] for one in made.header.appended for entry in one.inputs) == sorted(sum(more, ()))
    ids = made.dataset("corpus").to_table().column("id").to_pylist()
    own = [id_ for id_ in ids if id_.startswith("w") and not id_.endswith("shared")]
    assert sorted(own) == sorted(f"w{writer}.jsonl-{row}" for writer in range(len(more)) for row in range(APPENDED))
    assert len(set(ids)) == len(ids) == ROWS + APPENDED * len(more)
    assert made.rejects().count_rows() == REJECTED + APPENDED_REJECTED * len(more)
    label(made, "one")
    assert not list(verify(storage))
    assert rows_of(store.open(storage), "labels/one") == list(range(len(ids)))
    assert storage.list("tmp") == []


@pytest.mark.parametrize("times", rounds(4, 50))
def test_processes_that_append_at_once_come_one_after_the_other(files, undisturbed, tmp_path, times) -> None:
    more = [write_more(tmp_path, f"w{writer}.jsonl", rows=APPENDED) for writer in range(8)]
    races = [(tmp_path / str(turn), [None] * (2 + turn * 2 % 7)) for turn in range(times)]
    for folder, _ in races:
        whole_run(LocalStorage(folder), files)
    assert race_of_processes(files, races, more) == [[0] * len(kills) for _, kills in races]
    for folder, kills in races:
        check_appended_once(LocalStorage(folder), undisturbed, more[: len(kills)])


@pytest.mark.parametrize("times", rounds(6, 50))
def test_of_processes_that_append_at_once_one_that_is_killed_is_in_no_ones_way(
    files, undisturbed, tmp_path, times
) -> None:
    """The others finish what it began, and so does it when it is run again."""
    chance, calls = random.Random(5), 60
    more = [write_more(tmp_path, f"w{writer}.jsonl", rows=APPENDED) for writer in range(3)]
    races = [(tmp_path / str(turn), [chance.randrange(calls), None, None]) for turn in range(times)]
    for folder, _ in races:
        whole_run(LocalStorage(folder), files)
    codes = race_of_processes(files, races, more)
    assert all(code in ([-signal.SIGKILL, 0, 0], [0, 0, 0]) for code in codes)
    assert codes.count([0, 0, 0]) < times / 2
    for folder, _ in races:
        storage = LocalStorage(folder)
        append_more(storage, more[0], shards=1)
        left = [finding for finding in verify(storage) if finding.kind == "litter"]
        remove_litter(store.open(storage), left)
        check_appended_once(storage, undisturbed, more)


def test_of_two_who_append_the_same_id_the_second_is_refused(files, tmp_path) -> None:
    storage = MemoryStorage()
    whole_run(storage, files)
    rows = [{"id": "twice", "text": "one of two"}]
    both = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for number, file in enumerate(both):
        file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": f"own {number}", "text": "t"}]))

    def come_in(call: int) -> None:
        if first.calls[call].startswith("publish segments/"):
            append_more(storage, (str(both[1]),), shards=1)

    first = FaultyStorage(storage, before=come_in)
    append_more(first, (str(both[0]),), shards=1)
    made = store.open(storage)
    assert [entry["path"] for one in made.header.appended for entry in one.inputs] == [str(both[1]), str(both[0])]
    assert made.dataset("corpus").to_table().column("id").to_pylist()[ROWS:] == ["twice", "own 1", "own 0"]
    assert [finding.kind for finding in verify(storage) if finding.family in ("corpus", "segments")] == []


@pytest.mark.parametrize("times", rounds(4, 50))
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_of_writers_that_disagree_one_wins_each_shard_and_the_others_are_told(
    files, undisturbed, tmp_path, kind, times
) -> None:
    for turn in range(times):
        storage = MemoryStorage() if kind == "memory" else LocalStorage(tmp_path / str(turn))
        made = begin(storage, files)
        freeze_card(made, "one")
        weights = [1.0, 2.0] * (1 + turn % 4)
        told = race(len(weights), lambda writer, made=made, weights=weights: label_all(made, weights[writer]))
        assert made.label_set("one").seal()
        for shard in range(3):
            check_one_won(made, shard, [(weight, said[shard]) for weight, said in zip(weights, told, strict=True)])
        assert rows_of(made, "labels/one") == list(range(ROWS))
        assert not [finding for finding in verify(storage) if finding.is_damage]
        unlabelled = {name: data for name, data in undisturbed.items() if not name.startswith(("labels/", "tokens/"))}
        assert unlabelled.items() <= snapshot(storage).items()


def label_all(made: Store, weight: float) -> list[str]:
    """Label every shard, whoever else does; for each: ``first``, ``equal`` or ``refused``."""
    labeller, said = labeller_for(made, "one", weight=weight), ["", "", ""]
    for shard in random.sample(range(3), 3):
        try:
            said[shard] = "first" if label_shard(labeller, shard).committed else "equal"
        except MismatchError:
            said[shard] = "refused"
    return said


def check_one_won(made: Store, shard: int, told: list[tuple[float, str]]) -> None:
    """One writer was first, and what it wrote is what is read; who has its weight agreed, and no one else."""
    winners = [weight for weight, said in told if said == "first"]
    assert len(winners) == 1
    assert all((said != "refused") == (weight == winners[0]) for weight, said in told)
    alone = MemoryStorage()
    labels = made.label_set("one")
    record = labels.record(shard)
    assert record is not None
    copy = Store(alone, made.header)
    for name, data in snapshot(made.storage, "corpus").items():
        alone.put(name, data)
    copy.label_set("one").freeze_card(labels.card())
    label_shard(labeller_for(copy, "one", weight=winners[0]), shard)
    assert copy.label_set("one").record(shard) == record
