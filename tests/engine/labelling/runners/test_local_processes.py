"""Many processes label one store: whatever happens to them, the store is that of one process, and none is left."""

import dataclasses
import logging
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from forked import Forked, start_server
from store_factory import add_corpus, write_header

import engine
import engine.compute.device
import store
from engine.compute.device import (
    find_devices,
    restored_threads,
    warn_if_crowded,
    warn_if_shared,
    worker_processes,
    worker_threads,
)
from engine.errors import LabellingError
from engine.labelling.runners.failures import Attempt
from engine.labelling.runners.local_processes import LocalProcesses
from engine.labelling.runners.process import WorkerProcess
from engine.labelling.runners.scheduler import ShardQueue
from engine.labelling.shard import label_missing
from engine.testing.fake_job import FakeJob
from engine.testing.faults import LOADING, WorkerFault
from store.errors import MismatchError
from store.format.run_log import read_runs
from store.storage import open_storage

SHARDS = 6
DEVICES = ("fake:0", "fake:1")
GIVEN_UP = "fake:1 failed 3 times in a row and is given up"


def processes(parent):
    """Ids of the living children of process ``parent``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(autouse=True)
def no_process_is_left():
    """Of those that the test has started: other files' tests leave helpers, such as a query's child, for later ones."""
    start_server()
    before = set(processes(os.getpid()))
    yield
    assert not set(processes(os.getpid())) - before


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "store"
    add_corpus(write_header(open_storage(folder), rows=60, shards=SHARDS))
    return folder


@pytest.fixture
def make_job(corpus, tmp_path):
    def make(*faults, **changes):
        place = tmp_path / "store"
        if not place.exists():
            shutil.copytree(corpus, place)
        job = FakeJob(store=str(place), faults=faults, marks=str(tmp_path), **changes)
        job.freeze_card()
        return job

    return make


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """The files that one process makes."""
    place = tmp_path_factory.mktemp("whole") / "store"
    shutil.copytree(corpus, place)
    job = FakeJob(store=str(place))
    job.freeze_card()
    steps = job.open("cpu")
    for shard in range(SHARDS):
        report = label_missing(steps, shard)
        assert report.committed
        assert label_missing(steps, shard) is None
    return files(place)


def files(folder):
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return {name: data for name, data in names.items() if not name.startswith(("runs/", "tmp/"))}


def run(job, *, devices=DEVICES, shards=range(SHARDS), stall_seconds=20.0, done=lambda shard, report: None):
    LocalProcesses(devices=devices, stall_seconds=stall_seconds).run(job, list(shards), done=done)


def committed(job):
    return sorted(store.open(job.store).label_set(job.label_set).records())


def test_two_processes_make_the_files_of_one(make_job, whole):
    job = make_job(seconds_per_shard=0.05)
    reports = {}
    run(job, done=reports.__setitem__)
    assert files(job.store) == whole
    assert sorted(reports) == list(range(SHARDS))
    assert sum(report.rows for report in reports.values()) == 60
    assert all(report.committed for report in reports.values())


def test_a_shard_that_another_run_has_committed_is_skipped(make_job, whole):
    job = make_job()
    label_missing(job.open("cpu"), 2)
    reports = {}
    run(job, done=reports.__setitem__)
    assert [shard for shard, report in reports.items() if report is None] == [2]
    assert files(job.store) == whole


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (WorkerFault(kind="kill", shard=1, times=1), "killed by SIGKILL"),
        (WorkerFault(kind="kill", shard=LOADING, times=2), "loading the model on fake:"),
        (WorkerFault(kind="hang", shard=1, times=1), "it said nothing for 1 s"),
        (WorkerFault(kind="sticky", shard=1, times=1), "CUDA error: device-side assert triggered"),
        (WorkerFault(kind="raise", shard=4, times=1), "shard 4 fails every time, in batch"),
    ],
    ids=lambda value: value.kind if isinstance(value, WorkerFault) else "",
)
def test_a_fault_that_passes_leaves_a_complete_store(make_job, whole, caplog, fault, said):
    job = make_job(fault)
    run(job, stall_seconds=1.0)
    assert files(job.store) == whole
    assert said in caplog.text


def test_a_device_that_always_fails_is_given_up_and_the_others_go_on(make_job, whole, tmp_path, monkeypatch):
    said = tmp_path / "given-up"
    handler = logging.Handler()
    handler.emit = lambda record: said.touch() if GIVEN_UP in record.getMessage() else None
    monkeypatch.setattr(logging.getLogger("engine"), "handlers", [handler])
    job = make_job(WorkerFault(kind="kill", shard=LOADING, device="fake:1"), waits_for=str(said))
    run(job)
    assert files(job.store) == whole


@pytest.fixture
def begun(tmp_path):
    """The shards in the order in which they were begun, over all processes."""
    path = tmp_path / "begun"

    def read():
        return [int(line) for line in path.read_text().splitlines()]

    return str(path), read


@pytest.fixture
def given(monkeypatch):
    """What each process was given, by its id: a list of what it then had in hand."""
    held = {}
    give = WorkerProcess.give

    def seen(process, shard):
        give(process, shard)
        held.setdefault(process.pid, []).append(tuple(process.shards))

    monkeypatch.setattr(WorkerProcess, "give", seen)
    return held


def test_a_worker_has_one_shard_in_hand_and_one_to_come(make_job, whole, given):
    job = make_job(seconds_per_shard=0.1)
    run(job, devices=("fake:0",))
    (held,) = given.values()
    assert held[:3] == [(0,), (0, 1), (1, 2)]
    assert max(map(len, held)) == 2
    assert files(job.store) == whole


def test_the_last_shards_are_shared_out(make_job, given):
    run(make_job(seconds_per_shard=0.2))
    assert max(len(held) for of_one in given.values() for held in of_one) == 2
    for of_one in given.values():
        assert not any(len(held) == 2 and held[1] > SHARDS - len(DEVICES) for held in of_one)


def test_a_shard_that_is_tried_again_is_alone_and_goes_before_the_others(make_job, whole, given, begun):
    path, order = begun
    job = make_job(WorkerFault(kind="raise", shard=0, times=1), seconds_per_shard=0.3, begun=path)
    run(job)
    assert files(job.store) == whole
    again = [held for of_one in given.values() for held in of_one if 0 in held and held[0] != 0]
    assert again == []
    alone = [held for of_one in given.values() for held in of_one if held[0] == 0]
    assert sorted(alone)[:2] == [(0,), (0,)]
    assert len([held for held in alone if len(held) == 2]) <= 1, "what is tried again was followed by another"
    assert order().index(0, order().index(0) + 1) < SHARDS, "it was tried again last"


@pytest.mark.parametrize("kind", ["kill", "raise"])
def test_the_shard_ahead_is_given_back_without_blame(make_job, whole, given, caplog, kind):
    job = make_job(WorkerFault(kind=kind, shard=0, times=1), seconds_per_shard=0.1)
    run(job, devices=("fake:0",))
    assert files(job.store) == whole
    first, second = given.values()
    assert first[:2] == [(0,), (0, 1)]
    assert second[:3] == [(0,), (1,), (1, 2)]
    assert [record.message.split(" on ")[0] for record in caplog.records] == ["shard 0"]


def test_a_shard_that_was_ahead_of_a_failure_may_still_fail_once_itself(make_job, whole):
    job = make_job(*(WorkerFault(kind="kill", shard=shard, times=1) for shard in (0, 1)), seconds_per_shard=0.1)
    run(job, devices=("fake:0",))
    assert files(job.store) == whole


def test_a_shard_that_fails_twice_is_skipped_and_told_with_both_errors(make_job, whole):
    job = make_job(WorkerFault(kind="raise", shard=3), WorkerFault(kind="kill", shard=5))
    started = time.monotonic()
    with pytest.raises(LabellingError) as caught:
        run(job)
    assert time.monotonic() - started < 15
    assert committed(job) == [0, 1, 2, 4]
    head, third, fifth = str(caught.value).splitlines()
    assert head.startswith("2 shards failed twice; the others are committed")
    assert third.count("RuntimeError: shard 3 fails every time, in batch") == 2
    assert all(f"on {device}: " in third for device in DEVICES)
    assert fifth.count("its process was killed by SIGKILL") == 2
    run(make_job(), shards=[3, 5])
    assert files(job.store) == whole


def test_shards_that_fail_twice_are_not_held_against_workers_that_did_others(make_job):
    job = make_job(*(WorkerFault(kind="raise", shard=shard) for shard in (2, 3, 4)))
    with pytest.raises(LabellingError, match="3 shards failed twice"):
        run(job)
    assert committed(job) == [0, 1, 5]


def test_when_every_device_dies_it_ends_with_their_errors(make_job):
    job = make_job(WorkerFault(kind="kill", shard=LOADING))
    with pytest.raises(LabellingError, match="no device is left.*6 shards are not labelled") as caught:
        run(job, devices=("cpu", "cpu"))
    assert "cpu (worker 0): its process was killed by SIGKILL" in str(caught.value)
    assert "cpu (worker 1): its process was killed by SIGKILL" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("refuse", MismatchError, r"shard 0 does not fit, in batch 2 of 2 .* \(shard 0 on fake:[01]\)"),
        ("full", OSError, r"No space left on device.*\(shard 0 on fake:[01]\)"),
    ],
)
def test_what_no_second_try_can_mend_ends_it_at_once(make_job, kind, error, message):
    job = make_job(WorkerFault(kind=kind, shard=0), WorkerFault(kind="hang", shard=1))
    with pytest.raises(error, match=message) as caught:
        run(job, stall_seconds=60)
    assert type(caught.value) is error
    assert getattr(caught.value, "errno", 28) == 28


def test_a_job_that_cannot_be_sent_is_refused(make_job):
    with pytest.raises(LabellingError, match="label with one device"):
        run(FakeJob(store=lambda: None))


PARENT = """
import sys
from engine.compute.device import find_devices, worker_threads
from engine.testing.fake_job import FakeJob
from engine.labelling.runners.local_processes import LocalProcesses
LocalProcesses(devices=("a", "b")).run(FakeJob(store=sys.argv[1], seconds_per_shard=60.0), [0, 1], done=print)
"""


@pytest.fixture
def parent_with_workers(make_job, tmp_path):
    """A script without a main guard, whose two workers have a shard in hand; and the workers."""
    script = tmp_path / "scripts" / "label.py"  # beside the store's folder, `import store` would find that
    script.parent.mkdir()
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, make_job().store], stderr=subprocess.DEVNULL)
    while len(workers := processes(parent.pid)) < 2:
        assert parent.poll() is None
        time.sleep(0.02)
    time.sleep(1.0)
    yield parent, workers
    parent.kill()
    parent.wait()


def test_workers_are_gone_when_their_parent_is_killed(parent_with_workers):
    parent, workers = parent_with_workers
    assert all(map(alive, workers))
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 2
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers))


def test_workers_leave_the_signals_of_a_terminal_to_their_parent(parent_with_workers):
    parent, workers = parent_with_workers
    for pid in workers:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGUSR1)
    time.sleep(0.2)
    assert all(map(alive, workers))
    parent.send_signal(signal.SIGINT)
    parent.wait(timeout=8)
    assert not any(map(alive, workers))


@pytest.fixture(scope="module")
def texts(demo, tmp_path_factory):
    """A store with a corpus of 1,000 rows in 20 shards and no labels."""
    place = tmp_path_factory.mktemp("texts") / "store"
    inputs = place.with_name("in.parquet")
    pq.write_table(pq.read_table(demo.path("unlabelled.parquet")).slice(0, 1_000), inputs)
    config = engine.LabelConfig(store=str(place), teacher=demo.path("teacher"), inputs=(str(inputs),), shards=20)
    engine.label(dataclasses.replace(config, devices=("cpu",), worker=(19, 20)))
    for path in [*place.glob("labels"), *place.glob("tokens")]:
        shutil.rmtree(path)
    return place


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def label(demo, place, **changes):
    return engine.label(engine.LabelConfig(store=str(place), teacher=demo.path("teacher"), **changes))


def test_two_processes_label_as_one_does_and_two_runs_as_one(demo, texts, tmp_path, one_thread):
    one, two, parts = (shutil.copytree(texts, tmp_path / name) for name in ("one", "two", "parts"))
    alone = label(demo, one, devices=("cpu",))
    fleet = label(demo, two, devices=("cpu", "cpu"))
    assert (alone.devices, fleet.devices) == (["cpu"], ["cpu", "cpu"])
    assert (alone.rows_done, fleet.rows_done, fleet.shards_done, fleet.shards_missing) == (1_000, 1_000, 20, 0)
    assert files(two) == files(one)
    halves = [label(demo, parts, worker=(part, 2)) for part in (0, 1)]
    assert [(half.shards_done, half.shards_missing) for half in halves] == [(10, 10), (10, 0)]
    assert files(parts) == files(one)
    assert store.open(parts).label_set("teacher").is_sealed()


def test_a_signal_to_the_command_ends_its_workers_and_it_resumes(demo, texts, tmp_path, one_thread):
    place = shutil.copytree(texts, tmp_path / "store")
    command = ["label", "--store", str(place), "--teacher", demo.path("teacher"), "--devices", "cpu,cpu"]
    for sent, code, shards in [(signal.SIGTERM, 143, 2), (signal.SIGINT, 130, 0)]:
        process = Forked(command)
        while len(list(place.glob("labels/*/0*.json"))) < shards or len(processes(process.pid)) < 2:
            assert process.poll() is None
            time.sleep(0.005)
        workers = processes(process.pid)
        process.send_signal(sent)
        _, message = process.communicate(timeout=10)
        assert process.returncode == code
        assert f"stopped by {sent.name}; what was committed stays" in message
        assert not any(map(alive, workers))
    notes = [run["summary"] for run in read_runs(store.open(place).storage)]
    assert sorted(note["stopped_by"] for note in notes if "stopped_by" in note) == ["KeyboardInterrupt", "Stopped"]
    assert label(demo, place).shards_missing == 0


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("cpu", "meta"), r"cpu \(cpu\) and meta \(meta\)"),
        (("auto", "cpu"), "auto alone"),
        ((), "name devices"),
    ],
)
def test_devices_of_two_kinds_are_refused_with_both(names, message):
    with pytest.raises(LabellingError, match=message):
        find_devices(names)


@pytest.mark.parametrize(("workers", "threads"), [(1, 8), (3, 2), (9, 1)])
def test_workers_share_the_cores(workers, threads, monkeypatch):
    monkeypatch.setattr(engine.compute.device, "usable_cores", lambda: 8)
    assert worker_threads(("cpu",) * workers) == 1
    assert worker_processes(threads=1, workers=workers) == threads
    assert worker_processes(threads=2) == 1  # a label set that was begun so keeps its threads
    monkeypatch.setattr(engine.compute.device, "can_fork", lambda: False)
    with restored_threads():
        torch.set_num_threads(12)
        assert worker_threads(("cpu",) * workers) == threads


@pytest.mark.parametrize(
    ("devices", "threads", "said"),
    [
        (("cuda:0", "cuda:1"), 8, None),
        (("cpu", "cpu"), 1, None),
        (("cpu", "cpu"), 4, None),
        (("", "a machine", "a machine"), 1, None),
        (
            ("cuda:1", "cuda:0", "cuda"),
            8,
            "--devices has cuda:0 2 times, .* 0.94 times as fast .* Name it once, unless",
        ),
        (("cpu", "cpu", "cpu"), 4, "4 threads a worker, and 3 workers share 8 cores: .* Name 2 in --devices"),
    ],
)
def test_workers_that_wait_for_each_other_are_told(devices, threads, said, monkeypatch, caplog):
    monkeypatch.setattr(engine.compute.device, "usable_cores", lambda: 8)
    warn_if_crowded(devices, threads)
    warn_if_shared(devices)
    if said is None:
        assert not caplog.records
    else:
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert re.search(said, record.getMessage())


@pytest.mark.parametrize("worker", [(2, 2), (-1, 2), (0, 0)])
def test_a_part_that_there_is_not_is_refused(worker):
    with pytest.raises(LabellingError, match="--worker is"):
        engine.LabelConfig(store="s", teacher="t", worker=worker)


def attempt(worker):
    return Attempt(worker=worker, device="d", error="e")


def test_a_failed_shard_goes_first_and_to_another_worker():
    queue = ShardQueue([0, 1, 2])
    assert queue.take(0, alone=False) == 0
    assert queue.give_back(0, attempt(0))
    assert queue.take(0, alone=False) == 1
    assert queue.take(1, alone=False) == 0
    assert not queue.give_back(0, attempt(1))
    assert (queue.count(1, alone=False), len(queue), list(queue.failed_twice)) == (1, 1, [0])


def test_what_follows_a_shard_is_fresh_and_not_one_of_the_last():
    queue = ShardQueue(range(4))
    assert [queue.take_fresh(0, alone=False, keep=2) for _ in range(3)] == [0, 1, None]
    assert len(queue) == 2


def test_nothing_follows_where_a_failed_shard_goes_first():
    queue = ShardQueue(range(9))
    queue.take(0, alone=False)
    queue.give_back(0, attempt(0))
    assert (queue.is_fresh(0), queue.is_fresh(1)) == (False, True)
    assert queue.take_fresh(1, alone=False, keep=2) is None
    assert queue.take_fresh(0, alone=True, keep=2) is None
    assert queue.take_fresh(0, alone=False, keep=2) == 1


def test_what_nobody_has_begun_comes_first_in_its_order_and_unblamed():
    queue = ShardQueue(range(5))
    taken = [queue.take_fresh(0, alone=False, keep=0) for _ in range(3)]
    queue.return_fresh(taken[1:])
    queue.return_fresh([])
    assert (len(queue), queue.is_fresh(1), queue.failed_twice) == (4, True, {})
    assert [queue.take(0, alone=False) for _ in range(5)] == [1, 2, 3, 4, None]


def test_a_worker_that_is_alone_tries_its_own_failure_again():
    queue = ShardQueue([0])
    queue.take(0, alone=False)
    queue.give_back(0, attempt(0))
    assert queue.take(0, alone=False) is None
    assert (queue.count(0, alone=False), len(queue)) == (0, 1)
    assert queue.take(0, alone=True) == 0


class Shouts:
    """A job that writes to stderr as it is read, as a library does."""

    def __reduce__(self):
        return exec, ("import os; os.write(2, b'a word\\nof a library \\xff')",)


def test_what_a_worker_writes_to_stderr_is_logged_here(caplog):
    process = WorkerProcess(pickle.dumps(Shouts()), "cpu")
    assert process.receive() is not None
    process.kill()
    assert [record.getMessage() for record in caplog.records] == ["a word", "of a library \\xff"]
