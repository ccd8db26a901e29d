"""Runners are interchangeable: whoever labels, the store is that of one process. Two further runners are kept here."""

import pickle
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_factory import add_corpus, write_header

import engine
import store
from engine.errors import LabellingError, ModelError
from engine.labelling.card import Settings
from engine.labelling.execute import execute
from engine.labelling.job import LabelJob
from engine.labelling.probe import Probe
from engine.labelling.runners.choose import choose_runner
from engine.labelling.runners.failures import Attempt, describe, failed_shards_error, is_final
from engine.labelling.runners.in_process import InProcess
from engine.labelling.runners.local_processes import LocalProcesses
from engine.labelling.shard import label_missing
from engine.testing.fake_job import FakeJob
from engine.testing.faults import WorkerFault
from store.errors import MismatchError
from store.storage import open_storage

SHARDS = 6


class Cluster:
    """Sends each shard to a thread as a pickled task, as a cluster does; its device exists for the tasks only."""

    def __init__(self, devices=("cluster:0", "cluster:1"), *, real="cpu"):
        self.devices = devices
        self._real = real
        self.called = []

    def call(self, task):
        self.called.append(self.devices[0])
        return pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(task))(self._real)))

    def run(self, job, shards, *, done, tick):
        sent, failed = pickle.dumps(job), {}
        tick("labelling", 0, None)
        with ThreadPoolExecutor(len(self.devices)) as threads:
            futures = {shard: threads.submit(self._task, sent, shard) for shard in shards}
            for shard, future in futures.items():
                try:
                    report = pickle.loads(future.result())
                except Exception as error:
                    if is_final(error):
                        raise
                    failed[shard] = [Attempt(worker=0, device=self.devices[0], error=describe(error))]
                else:
                    done(shard, report)
        if failed:
            raise failed_shards_error(failed)

    def _task(self, sent, shard):
        return pickle.dumps(label_missing(pickle.loads(sent).open(self._real), shard))


class Shuffled:
    """Labels in a random order, and refuses some shards once, which it then tries again."""

    devices = ("shuffled",)

    def __init__(self, seed):
        self._random = random.Random(seed)

    def call(self, task):
        return task("cpu")

    def run(self, job, shards, *, done, tick):
        left, refused, steps = list(shards), set(), job.open("cpu")
        while left:
            shard = left.pop(self._random.randrange(len(left)))
            if shard not in refused and self._random.random() < 0.5:
                refused.add(shard)
                left.append(shard)
                continue
            done(shard, label_missing(steps, shard, tick=tick))


def files(folder):
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return {name: data for name, data in names.items() if not name.startswith(("runs/", "tmp/"))}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "store"
    add_corpus(write_header(open_storage(folder), rows=60, shards=SHARDS))
    return folder


@pytest.fixture
def label(corpus, tmp_path):
    def run(runner, name, **changes):
        place = shutil.copytree(corpus, tmp_path / name)
        job = FakeJob(store=str(place), **changes)
        job.freeze_card()
        return place, execute(store.open(place), job, runner)

    return run


@pytest.mark.parametrize(
    "runner",
    [LocalProcesses(devices=("a", "b")), Cluster(), *map(Shuffled, range(5))],
    ids=["processes", "cluster", *(f"shuffled-{seed}" for seed in range(5))],
)
def test_every_runner_makes_the_files_of_one_process(label, runner):
    whole, _ = label(InProcess("cpu"), "whole")
    place, summary = label(runner, "other")
    assert files(place) == files(whole)
    assert (summary.shards_done, summary.shards_missing, summary.rows_done) == (SHARDS, 0, 60)
    assert summary.devices == list(runner.devices)
    assert store.open(place).label_set("fake").is_sealed()


def test_a_runner_says_which_shards_failed_and_commits_the_others(label, tmp_path):
    with pytest.raises(LabellingError, match=r"1 shard failed twice[^\n]*\n  shard 3: on cluster:0: RuntimeError"):
        label(Cluster(), "store", faults=(WorkerFault(kind="raise", shard=3),))
    assert store.open(tmp_path / "store").label_set("fake").missing() == [3]


@pytest.mark.parametrize("runner", [InProcess("cpu"), LocalProcesses(devices=("a",)), Cluster()])
def test_a_final_error_ends_the_run_as_it_is(label, runner):
    with pytest.raises(MismatchError, match="shard 0 does not fit"):
        label(runner, "store", faults=(WorkerFault(kind="refuse", shard=0),))


@pytest.mark.parametrize(
    ("devices", "shared_store", "chosen"),
    [
        (("cpu",), True, InProcess),
        (("cpu",), False, InProcess),
        (("cuda:0",), True, LocalProcesses),
        (("cuda:0",), False, InProcess),
        (("cpu", "cpu"), False, LocalProcesses),
        (("cuda:0", "cuda:1"), True, LocalProcesses),
    ],
)
def test_the_devices_choose_the_runner(devices, shared_store, chosen):
    runner = choose_runner(devices, shared_store=shared_store)
    assert isinstance(runner, chosen)
    assert runner.devices == devices


def test_a_driver_without_the_device_labels_as_one_that_has_it(demo, tmp_path):
    alone, far = tmp_path / "alone", tmp_path / "far"
    config = {"teacher": demo.path("teacher"), "inputs": (demo.path("gold.parquet"),), "shards": 2, "name": "t"}
    engine.label(engine.LabelConfig(store=str(alone), devices=("cpu",), **config))
    cluster = Cluster(("cuda:99",))
    summary = engine.label(engine.LabelConfig(store=str(far), devices=("cuda:99",), **config), runner=cluster)
    assert cluster.called == ["cuda:99"]
    assert (summary.devices, summary.shards_missing) == (["cuda:99"], 0)
    assert files(far) == files(alone)
    with pytest.raises(ModelError, match="cuda:99"):
        engine.label(engine.LabelConfig(store=str(far), devices=("cuda:99",), **config))


def test_a_loaded_teacher_is_not_sent(demo, tmp_path, monkeypatch):
    sent = {}

    class Watched(Cluster):
        def call(self, task):
            sent["probe"] = pickle.dumps(task)
            result = super().call(task)
            assert isinstance(task, Probe)
            assert isinstance(result[0], Settings)
            return result

        def run(self, job, shards, *, done, tick):
            sent["job"] = pickle.dumps(job)
            assert isinstance(job, LabelJob)
            assert job.model is not None

    config = engine.LabelConfig(
        store=str(tmp_path / "store"), teacher=demo.path("teacher"), inputs=(demo.path("gold.parquet"),), shards=2
    )
    engine.label(config, runner=Watched())
    assert pickle.loads(sent["job"]).model is None
    assert pickle.loads(sent["probe"]).model is None
    assert max(map(len, sent.values())) < 10_000
