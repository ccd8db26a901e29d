"""What each run measured."""

import os
import signal
import time
from pathlib import Path

import pytest

from store.format.json_file import to_json
from store.format.run_log import RUNS, SILENT_SECONDS, RunLog, RunState, read_runs, shard_seconds, state_of
from store.storage import LocalStorage, MemoryStorage


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


def forked_run(storage: LocalStorage) -> int:
    """A process that begins a run and waits for ever."""
    ready, told = os.pipe()
    if (child := os.fork()) == 0:
        try:
            log = RunLog(storage, {"label_set": "bert", "devices": ["cpu"]})
            log.begin(100)
            os.write(told, b"!")
            time.sleep(600)
        finally:
            os._exit(1)
    assert os.read(ready, 1) == b"!"
    return child


def test_a_run_is_known_to_live_until_it_is_killed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    child = forked_run(storage)
    (run,) = read_runs(storage)
    assert state_of(storage, run) is RunState.RUNNING
    assert (run["process"], run["rows"], run["rows_done"]) == (child, 100, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert state_of(storage, run) is RunState.DEAD
    assert storage.sweep() == [run["alive"].removeprefix("tmp/")]
    assert state_of(storage, run) is RunState.DEAD


def test_a_run_that_lives_and_says_nothing_for_long_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    log = RunLog(storage, {})
    log.begin(10)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + SILENT_SECONDS + 1)
    (run,) = read_runs(storage)
    assert state_of(storage, run) is RunState.SILENT
    assert state_of(storage, {**run, "alive": "tmp/another-machine-1-2"}) is RunState.DEAD
    log.finish({"rows": 10})
    assert storage.list("tmp") == []
    monkeypatch.undo()
    assert state_of(storage, {**run, "alive": "tmp/another-machine-1-2"}) is RunState.RUNNING


def test_what_has_ended_with_a_word_says_how() -> None:
    storage = MemoryStorage()
    for summary, state in (({"rows": 1}, RunState.FINISHED), ({"stopped_by": "KeyboardInterrupt"}, RunState.STOPPED)):
        log = RunLog(storage, {"label_set": str(state)})
        log.begin(1)
        log.finish(summary)
    assert {run["label_set"]: str(state_of(storage, run)) for run in read_runs(storage)} == {
        "finished": "finished",
        "stopped": "stopped",
    }
    assert state_of(storage, {"started": "20260301T000000Z", "summary": None}) is RunState.UNKNOWN


def test_rows_and_their_speed_are_noted_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    log = RunLog(storage, {})
    log.begin(100)
    log.rows_done(10, 3.14159)
    assert read_runs(storage)[0]["rows_done"] == 0
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 11)
    log.rows_done(20, 3.14159)
    (run,) = read_runs(storage)
    assert (run["rows_done"], run["rows_per_second"]) == (20, 3.1)


def test_notes_that_cannot_be_written_are_not_tried_again_with_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    log = RunLog(storage, {})
    log.begin(100)
    tried = []

    def full(name: str, data: bytes) -> None:
        tried.append(name)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "put", full)
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 11)
    with pytest.raises(OSError, match="No space"):
        log.rows_done(1, None)
    log.rows_done(2, None)
    assert len(tried) == 1
