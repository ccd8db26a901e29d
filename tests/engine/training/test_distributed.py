"""Several processes train as one does; one that is lost ends the others in time, and a run of theirs goes on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from forked import Forked, start_ranks, wait_until
from safetensors.torch import load_file
from transformers import AutoConfig

from engine.errors import TrainingError
from engine.training.distributed import Ranks, joined_ranks

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def student(demo, tmp_path_factory) -> Path:
    """A configuration without dropout, whose random numbers would differ between ranks."""
    folder = tmp_path_factory.mktemp("student")
    config = AutoConfig.from_pretrained(
        demo.path("start-student"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    config.save_pretrained(folder)
    return folder / "config.json"


def command(demo, student, out, *more):
    options = ["--student", str(student), "--out", str(out), "--batch-size", "25", *more]
    return ["train", demo.path("reviews.store"), *options]


def run(*arguments, ranks=1) -> str:
    """Train to the end; what the first rank prints."""
    processes = start_ranks(command(*arguments), ranks)
    said = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0] * ranks, said
    assert not any(out for out, _ in said[1:])
    return said[0][0]


def lines(out: Path) -> list[dict]:
    path = out / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_two_ranks_train_as_one_does(demo, student, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    run(demo, student, one, "--epochs", "2", "--validation", demo.path("test.parquet"))
    printed = run(demo, student, two, "--epochs", "2", "--validation", demo.path("test.parquet"), ranks=2)
    assert len(printed.splitlines()) == 1  # the first rank's summary, and nothing from the other
    assert json.loads(printed)["steps"] == 160
    ours, theirs = ([line for line in lines(out) if "loss" in line] for out in (one, two))
    assert [line["step"] for line in ours] == [line["step"] for line in theirs] == list(range(1, 161))
    assert max(abs(a["loss"] - b["loss"]) for a, b in zip(ours, theirs, strict=True)) < 1e-5
    assert [line["rows"] for line in theirs] == [25] * 160
    judged = [[line for line in lines(out) if "validation_accuracy" in line] for out in (one, two)]
    for a, b in zip(*judged, strict=True):
        assert b["validation_accuracy"] == pytest.approx(a["validation_accuracy"], abs=2e-3)
        assert b["validation_log_loss"] == pytest.approx(a["validation_log_loss"], abs=1e-4)
    assert json.loads((two / "training.json").read_text())["ranks"] == 2


def test_a_run_goes_on_with_another_number_of_ranks(demo, student, tmp_path):
    whole, chained = tmp_path / "whole", tmp_path / "chained"
    run(demo, student, whole, "--epochs", "2")
    for ranks in (2, 1, 2):
        stop_in_training(demo, student, chained, ranks=ranks)
    run(demo, student, chained, "--epochs", "2", "--checkpoint-every", "5", ranks=1)
    pairs = zip(lines(whole), lines(chained), strict=True)
    assert max(abs(a["loss"] - b["loss"]) for a, b in pairs) < 1e-5
    ours, theirs = load_file(whole / "model.safetensors"), load_file(chained / "model.safetensors")
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, atol=1e-4, rtol=1e-3)


def stop_in_training(demo, student, out, *, ranks):
    """Kill all processes of a run some steps behind where it went on."""
    before = len(lines(out))
    processes = start_ranks(command(demo, student, out, "--epochs", "2", "--checkpoint-every", "5"), ranks)
    wait_until(lambda: len(lines(out)) > before + 20 or processes[0].poll() is not None)
    assert processes[0].poll() is None, "it was done before it could be stopped"
    for process in processes:
        process.kill()


def ranks_of(process):
    """The processes that torchrun has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return sorted(map(int, listed.stdout.split()))


def test_torchrun_ends_the_others_when_a_rank_is_killed(demo, student, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cli"]
    process = subprocess.Popen(
        [*launcher, *command(demo, student, tmp_path / "out", "--epochs", "500", "--lost-after", "5")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_until(lambda: len(lines(tmp_path / "out")) > 5 or process.poll() is not None)
        os.kill(ranks_of(process)[1], signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    finally:
        for pid in [process.pid, *ranks_of(process)] if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
    assert process.returncode != 0
    assert "SIGKILL" in said


def test_a_rank_that_falls_silent_is_lost_after_a_while(demo, student, tmp_path):
    line = command(demo, student, tmp_path / "out", "--epochs", "500", "--lost-after", "4")
    ranks: list[Forked] = start_ranks(line, 2)
    try:
        wait_until(lambda: len(lines(tmp_path / "out")) > 5 or ranks[0].poll() is not None)
        ranks[1].send_signal(signal.SIGSTOP)
        _, said = ranks[0].communicate(timeout=30)
    finally:
        for rank in ranks:
            rank.kill()
    assert ranks[0].returncode == 1
    assert "rank 0 of 2: another rank was lost in step" in said
    assert "Run the same command again" in said
    assert "Traceback" not in said


def test_alone_there_is_nothing_to_wait_for():
    tensor = torch.ones(3)
    Ranks(rank=0, count=1, device=CPU).sum(tensor, doing="never")
    assert tensor.tolist() == [1, 1, 1]


def test_a_process_without_torchrun_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_ranks(CPU) as ranks:
        assert (ranks.rank, ranks.count, ranks.is_first) == (0, 1, True)


def test_ranks_that_do_not_come_together_are_an_error(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="rank 1 of 2 did not find the others"), joined_ranks(CPU, start_seconds=1):
        pass
