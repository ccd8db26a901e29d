"""SIGKILL at random moments, in chains: the short form of `benchmarks.faults.kills`.

A slow machine can be killed too early or too late, so trials go on until a kill has hit.
"""

import sys
from itertools import count
from pathlib import Path

import pytest

from benchmarks.faults.kills import SHARDS, files, real, rehearsal, run_trials, write_texts

TEXTS = "texts.jsonl"


def test_runs_that_were_killed_leave_the_store_of_one_that_was_not(tmp_path: Path) -> None:
    write_texts(tmp_path / TEXTS, rows=200)
    for attempt in count():
        (folder := tmp_path / str(attempt)).mkdir()
        trials = run_trials(rehearsal(tmp_path / TEXTS, 0.03), folder, workers=[1, 2, 2], seed=attempt)
        assert [trial for trial in trials if not trial.is_good] == []
        assert all(trial.again is not None for trial in trials)
        if any(trial.kills for trial in trials):
            break


def test_and_so_do_runs_that_append_rows(tmp_path: Path) -> None:
    more = [tmp_path / "more.jsonl", tmp_path / "most.jsonl"]
    for file in (tmp_path / TEXTS, *more):
        write_texts(file, rows=100)
    command = rehearsal(tmp_path / TEXTS, 0.03, more=more)
    for attempt in count():
        (folder := tmp_path / str(attempt)).mkdir()
        trials = run_trials(command, folder, workers=[1, 2], seed=attempt, shards=SHARDS + 2 * (SHARDS // 3))
        assert [trial for trial in trials if not trial.is_good] == []
        if any("appended rows" in trial.killed_in for trial in trials):
            break


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_with_many_workers_and_kills(tmp_path: Path) -> None:
    write_texts(tmp_path / TEXTS)
    trials = run_trials(rehearsal(tmp_path / TEXTS, 0.05), tmp_path, workers=[1, 2, 4] * 66 + [2, 4], seed=0)
    assert [trial for trial in trials if not trial.is_good] == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_with_a_real_model(demo, tmp_path: Path) -> None:
    trials = run_trials(real(demo.folder), tmp_path, workers=[1, 2] * 10, seed=0)
    assert [trial for trial in trials if not trial.is_good] == []


def test_a_trial_sees_a_store_that_came_out_otherwise(tmp_path: Path) -> None:
    """The judge must be able to condemn: here every run but the first writes one file more."""
    write_texts(tmp_path / TEXTS, rows=50)
    normal = rehearsal(tmp_path / TEXTS, 0.0)

    def spoiled(place: Path, workers: int) -> list[str]:
        if place.name.startswith("whole"):
            return normal(place, workers)
        script = "import subprocess, sys; subprocess.run(sys.argv[2:], check=True); open(sys.argv[1], 'w').close()"
        return [sys.executable, "-c", script, str(place / "corpus" / "more"), *normal(place, workers)]

    (trial,) = run_trials(spoiled, tmp_path, workers=[1], seed=3)
    assert trial.different == ["corpus/more"]
    assert not trial.is_good
    assert "corpus/more" in files(tmp_path / "store-0")
