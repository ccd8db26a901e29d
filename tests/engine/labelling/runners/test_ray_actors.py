"""A Ray cluster labels a store as one machine does, whatever happens to its nodes, its workers or the driver."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.faults.kills import files, write_texts
from engine.errors import LabellingError
from engine.labelling.planning.config import LabelConfig
from engine.labelling.runners.cluster.actor import Home, Mailbox
from engine.labelling.runners.cluster.connection import check_address, needs_of
from engine.labelling.runners.messages import Begun, Failed, Ticked
from engine.testing.fake_job import FakeJob
from engine.testing.ray_cluster import RayCluster
from store.errors import MismatchError

SHARDS = 9
SECONDS = "0.4"


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each."""
    with RayCluster(2) as running:
        yield running


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    file = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    write_texts(file, rows=200)
    return file


@pytest.fixture(scope="module")
def whole(texts):
    """The files of a store that one process labelled."""
    place = texts.with_name("whole")
    subprocess.run(rehearsal(texts, place, "--seconds", "0"), check=True, capture_output=True)
    return files(place)


def rehearsal(texts, place, *more):
    """The command of a run with a made-up teacher."""
    start = [sys.executable, "-m", "benchmarks.faults.rehearsal", str(texts), "--store", str(place)]
    return [*start, "--shards", str(SHARDS), "--seconds", SECONDS, *more]


@pytest.fixture
def start(cluster, texts, tmp_path):
    """Start a run on the cluster; the process, and the shards that it has begun so far."""

    def started(*more, workers=2):
        begun = tmp_path / "begun"
        command = rehearsal(
            texts, tmp_path / "store", "--on", "ray", "--workers", str(workers), "--begun", str(begun), *more
        )
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **cluster.environment},
        )
        return process, lambda: begun.read_text().split() if begun.exists() else []

    return started


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def assert_nearly_all_told(out):
    """What is lost may have committed its shard before it could tell: the shard is there, and counts for nobody."""
    assert SHARDS - 1 <= int(out) <= SHARDS


def test_the_store_is_that_of_one_process(start, whole, tmp_path, cluster):
    process, begun = start()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, f"{SHARDS}\n", "")
    assert files(tmp_path / "store") == whole
    assert sorted(map(int, begun())) == list(range(SHARDS))
    wait_until(lambda: cluster.free_cpus() == 2)


def test_a_driver_that_is_killed_takes_its_workers_along_and_another_goes_on(start, whole, tmp_path, cluster):
    process, begun = start()
    wait_until(lambda: len(begun()) >= 4)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    wait_until(lambda: cluster.free_cpus() == 2)
    process, begun = start()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert int(out) < SHARDS
    assert files(tmp_path / "store") == whole
    assert len(begun()) <= SHARDS + 2


def test_a_worker_that_dies_costs_the_shard_in_its_hand(start, whole, tmp_path, cluster):
    process, begun = start()
    wait_until(lambda: len(begun()) >= 3)
    os.kill(cluster.worker(), signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert_nearly_all_told(out)
    assert "on cpu of node" in err
    assert "its actor died: The actor is dead because its worker process has died" in err
    assert files(tmp_path / "store") == whole
    assert len(begun()) <= SHARDS + 1


def test_a_node_that_is_lost_costs_its_shards_alone_and_a_new_one_helps(start, whole, tmp_path, cluster):
    process, begun = start("--seconds", "1.5")
    wait_until(lambda: len(begun()) >= 3)
    cluster.kill_node()
    cluster.add_node()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0
    assert_nearly_all_told(out)
    assert "its node is gone, or cannot be reached; it is tried again" in err
    assert files(tmp_path / "store") == whole
    assert len(begun()) <= SHARDS + 1


def test_more_workers_than_cores_wait_for_nodes_and_are_gone_at_the_end(start, whole, tmp_path, cluster):
    process, _ = start("--seconds", "0.1", workers=5)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, f"{SHARDS}\n", "")
    assert files(tmp_path / "store") == whole
    wait_until(lambda: cluster.free_cpus() == 2)


def test_the_command_labels_as_on_this_machine(demo, cluster, run_engine, tmp_path):
    """With a real model, from a folder that its paths are relative to."""
    label = ["label", demo.path("unlabelled.parquet"), "--teacher", "teacher", "--shards", "4", "--format", "json"]
    here, there = tmp_path / "here", tmp_path / "there"
    alone = run_engine(*label, "--store", str(here), "--devices", "cpu", cwd=demo.folder)
    assert alone.returncode == 0, alone.stderr
    done = run_engine(*label, "--store", str(there), "--on", "ray", cwd=demo.folder, **cluster.environment)
    assert done.returncode == 0, done.stderr
    assert [summary["shards_done"] for summary in json.loads(done.stdout)] == [4]
    assert files(there) == files(here)


def test_no_cluster_is_said_with_the_way(demo, run_engine, tmp_path):
    label = ["label", demo.path("unlabelled.parquet"), "--teacher", demo.path("teacher")]
    done = run_engine(*label, "--store", str(tmp_path / "s"), "--on", "ray", RAY_ADDRESS="127.0.0.1:1")
    assert done.returncode == 1
    assert "no Ray cluster answers at 127.0.0.1:1: [Errno 111] Connection refused; start one with" in done.stderr
    assert "ray start --head" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--on", "slurm"], "--on is 'slurm'; it is ray, for the cluster of this machine"),
        (["--on", "ray://"], "--on is 'ray://'"),
        (["--on", "ray", "--devices", "cuda:0,cuda:1"], "with --on it is auto, cpu or cuda, and --workers says how"),
        (["--workers", "3"], "--workers says how many workers a cluster has, at least 1, and needs --on"),
    ],
)
def test_options_that_do_not_fit_are_refused(demo, run_engine, tmp_path, options, said):
    label = [
        "label",
        demo.path("unlabelled.parquet"),
        "--teacher",
        demo.path("teacher"),
        "--store",
        str(tmp_path / "s"),
    ]
    done = run_engine(*label, *options)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_store_in_memory_cannot_be_labelled_on_a_cluster():
    from engine.labelling.label import runner_for
    from store.storage.memory import MemoryStorage

    storage = MemoryStorage()
    with pytest.raises(LabellingError, match="a store in memory cannot be labelled on a cluster"):
        runner_for(LabelConfig(store=storage, teacher="x", on="ray"), storage)


def test_an_address():
    check_address("ray")
    check_address("ray://10.0.0.1:10001")
    with pytest.raises(LabellingError, match="--on is 'http://x'"):
        check_address("http://x")


def test_a_worker_with_a_gpu_has_its_share_of_the_cores_which_tokenise():
    def node(alive, **found):
        return {"Alive": alive, "Resources": found}

    nodes = [
        node(True, CPU=64.0),
        node(True, CPU=32.0, GPU=4.0),
        node(False, CPU=2.0, GPU=2.0),
        node(True, CPU=48, GPU=8),
    ]
    assert needs_of("cuda", nodes) == {"num_cpus": 6, "num_gpus": 1}
    assert needs_of("cuda", nodes[:1]) == {"num_cpus": 1, "num_gpus": 1}
    assert needs_of("cpu", nodes) == {"num_cpus": 1, "num_gpus": 0}


def test_a_node_with_other_versions_is_refused(tmp_path, monkeypatch):
    home = Home.here()
    monkeypatch.chdir(tmp_path)
    home.enter("cpu of node 1")
    assert str(Path.cwd()) == home.folder
    other = Home(folder=home.folder, versions={**home.versions, "torch": "1.0"})
    with pytest.raises(MismatchError, match=r"cpu of node 1 has torch \S+ and not 1\.0, which this run was started"):
        other.enter("cpu of node 1")


def test_a_store_that_is_not_the_run_s_is_refused(texts, tmp_path):
    subprocess.run(rehearsal(texts, tmp_path / "store", "--seconds", "0"), check=True, capture_output=True)
    (run_log,) = (f"runs/{file.name}" for file in (tmp_path / "store" / "runs").iterdir())
    job = FakeJob(store=str(tmp_path / "store"))
    job.of_run(run_log).open("cpu")
    with pytest.raises(MismatchError, match="is not the store that this run was started on: it has no runs/other"):
        job.of_run("runs/other.json").open("cpu")
    with pytest.raises(MismatchError, match="is not the store that this run was started on"):
        FakeJob(store=str(tmp_path / "none")).of_run(run_log).open("cpu")


def test_news_that_was_lost_on_the_way_is_told_again():
    box = Mailbox(Home.here())
    box.send(Ticked(1))
    box.send(Ticked(2))
    assert box.news(0, 0) == [Ticked(1), Ticked(2)]
    assert box.news(0, 0) == [Ticked(1), Ticked(2)]
    box.send(Begun("here", "1"))
    assert box.news(1, 0) == [Ticked(2), Begun("here", "1")]
    assert box.news(3, 0) == []
    started = time.monotonic()
    assert box.news(3, 0.2) == []
    assert time.monotonic() - started >= 0.2


def test_messages_to_a_worker_keep_their_order():
    box = Mailbox(Home.here())
    for number in (1, 0, 3, 2):
        box.put(number, pickle.dumps(10 + number))
    assert [box.take(wait=True) for _ in range(4)] == [10, 11, 12, 13]
    box.put(5, pickle.dumps(15))
    assert box.take(wait=False) is None


def test_a_failure_that_another_try_cannot_help_says_where(monkeypatch):
    monkeypatch.setattr("engine.labelling.runners.cluster.actor.place", lambda: ("abcdef0123", "10.0.0.7"))
    box = Mailbox(Home(folder="/", versions={"torch": "1.0"}))
    box.work(b"", "cpu")
    begun, failure = box.news(0, 0)
    assert begun == Begun("cpu of node 10.0.0.7 (abcdef01)", "abcdef0123")
    assert isinstance(failure, Failed)
    assert failure.final is MismatchError


def test_a_task_is_run_by_the_worker_that_will_label():
    assert pickle.loads(Mailbox(Home.here()).call(pickle.dumps(str.upper), "cpu")) == "CPU"
    with pytest.raises(MismatchError, match=r"a node has torch \S+ and not 1\.0"):
        Mailbox(Home(folder="/", versions={"torch": "1.0"})).call(pickle.dumps(str.upper), "cpu")


def test_progress_travels_once_a_second():
    box = Mailbox(Home.here())
    for rows in range(5):
        box.tick("computing", rows, None)
    assert box.news(0, 0) == [Ticked(0)]
