"""What each run measured."""

import time

import pytest

from store.format.json_file import to_json
from store.format.run_log import RUNS, RunLog, read_runs, shard_seconds
from store.storage import MemoryStorage


def test_a_run_is_written_when_it_ends() -> None:
    storage = MemoryStorage()
    log = RunLog(storage, {"command": "label", "labels": "bert"})
    log.shard_done("labels/bert", 0, 1.23456789)
    log.shard_done("labels/bert", 1, 2.0)
    log.finish({"rows": 10})
    (run,) = read_runs(storage)
    assert (run["command"], run["labels"], run["summary"]) == ("label", "bert", {"rows": 10})
    assert run["shards"] == [
        {"family": "labels/bert", "shard": 0, "seconds": 1.2346},
        {"family": "labels/bert", "shard": 1, "seconds": 2.0},
    ]
    assert time.strptime(run["started"], "%Y%m%dT%H%M%SZ")


def test_a_run_that_is_killed_leaves_what_is_older_than_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    log = RunLog(storage, {})
    log.shard_done("labels/bert", 0, 1.0)
    assert read_runs(storage) == []
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 11)
    log.shard_done("labels/bert", 1, 1.0)
    log.shard_done("labels/bert", 2, 1.0)
    (run,) = read_runs(storage)
    assert [entry["shard"] for entry in run["shards"]] == [0, 1]
    assert run["summary"] is None


def test_a_run_is_one_file_however_often_it_is_written() -> None:
    storage = MemoryStorage()
    log = RunLog(storage, {})
    log.finish({"a": 1})
    log.finish({"a": 2})
    assert [run["summary"] for run in read_runs(storage)] == [{"a": 2}]


def test_runs_of_the_same_second_do_not_overwrite_each_other() -> None:
    storage = MemoryStorage()
    for number in range(20):
        RunLog(storage, {"number": number}).finish({})
    assert sorted(run["number"] for run in read_runs(storage)) == list(range(20))


def test_runs_come_oldest_first() -> None:
    storage = MemoryStorage()
    for started in ("20260301T000000Z", "20250301T000000Z", "20251231T235959Z"):
        storage.put(f"{RUNS}/{started}-0.json", to_json({"started": started}))
    started = [run["started"] for run in read_runs(storage)]
    assert started == sorted(started)
    assert len(started) == 3


def test_seconds_are_known_by_family_and_shard() -> None:
    storage = MemoryStorage()
    assert shard_seconds(storage) == {}
    for family, seconds in (("labels/bert", 1.0), ("labels/roberta", 2.0)):
        log = RunLog(storage, {})
        log.shard_done(family, 0, seconds)
        log.finish({})
    assert shard_seconds(storage) == {("labels/bert", 0): 1.0, ("labels/roberta", 0): 2.0}


def test_damaged_notes_are_passed_over() -> None:
    storage = MemoryStorage()
    storage.put(f"{RUNS}/20260301T000000Z-0.json", to_json({"started": "20260301T000000Z"})[:-1])
    storage.put(f"{RUNS}/20260302T000000Z-0.json", to_json({"started": "20260302T000000Z"}))
    assert [run["started"] for run in read_runs(storage)] == ["20260302T000000Z"]
