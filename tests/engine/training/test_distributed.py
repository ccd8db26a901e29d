"""Several processes train as one does; one that is lost ends the others in time, and a run of theirs goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
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


def command(demo, student, out, *more, ranks=1):
    start = [sys.executable]
    if ranks > 1:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    options = ["--student", str(student), "--out", str(out), "--batch-size", "50", *more]
    return [*start, "-m", "cli", "train", demo.path("reviews.store"), *options]


def start(*arguments, **options):
    return subprocess.Popen(
        command(*arguments, **options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def run(*arguments, **options):
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out


def lines(out: Path) -> list[dict]:
    path = out / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_two_ranks_train_as_one_does(demo, student, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    run(demo, student, one, "--epochs", "3", "--validation", demo.path("test.parquet"))
    printed = run(demo, student, two, "--epochs", "3", "--validation", demo.path("test.parquet"), ranks=2)
    assert len(printed.splitlines()) == 1  # the first rank's summary, and nothing from the other
    assert json.loads(printed)["steps"] == 240
    ours, theirs = ([line for line in lines(out) if "loss" in line] for out in (one, two))
    assert [line["step"] for line in ours] == [line["step"] for line in theirs] == list(range(1, 241))
    assert max(abs(a["loss"] - b["loss"]) for a, b in zip(ours, theirs, strict=True)) < 1e-5
    assert [line["rows"] for line in theirs] == [50] * 240
    judged = [[line for line in lines(out) if "validation_accuracy" in line] for out in (one, two)]
    for a, b in zip(*judged, strict=True):
        assert b["validation_accuracy"] == pytest.approx(a["validation_accuracy"], abs=2e-3)
        assert b["validation_log_loss"] == pytest.approx(a["validation_log_loss"], abs=1e-4)
    assert json.loads((two / "training.json").read_text())["ranks"] == 2


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_ranks(demo, student, tmp_path):
    whole, chained = tmp_path / "whole", tmp_path / "chained"
    run(demo, student, whole, "--epochs", "5")
    for ranks in (2, 1, 2):
        stop_in_training(demo, student, chained, ranks=ranks)
    run(demo, student, chained, "--epochs", "5", "--checkpoint-every", "5", ranks=1)
    pairs = zip(lines(whole), lines(chained), strict=True)
    assert max(abs(a["loss"] - b["loss"]) for a, b in pairs) < 1e-5
    ours, theirs = load_file(whole / "model.safetensors"), load_file(chained / "model.safetensors")
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, atol=1e-4, rtol=1e-3)


def stop_in_training(demo, student, out, *, ranks):
    """Kill all processes of a run some steps behind where it went on."""
    before = len(lines(out))
    process = start(demo, student, out, "--epochs", "5", "--checkpoint-every", "5", ranks=ranks)
    wait_until(lambda: len(lines(out)) > before + 20 or process.poll() is not None)
    assert process.poll() is None, "it was done before it could be stopped"
    for pid in [process.pid, *ranks_of(process)]:  # torchrun's processes are in groups of their own
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def wait_until(condition, seconds=90.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.005)


def ranks_of(process):
    """The processes that torchrun has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return sorted(map(int, listed.stdout.split()))


def test_a_rank_that_is_killed_ends_the_others_within_a_minute(demo, student, tmp_path):
    process = start(demo, student, tmp_path / "out", "--epochs", "500", "--lost-after", "5", ranks=2)
    try:
        wait_until(lambda: len(lines(tmp_path / "out")) > 5 or process.poll() is not None)
        os.kill(ranks_of(process)[1], signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    finally:
        for pid in [process.pid, *ranks_of(process)] if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
    assert process.returncode != 0
    assert "SIGKILL" in said


@pytest.mark.slow
def test_a_rank_that_falls_silent_is_lost_after_a_while(demo, student, tmp_path):
    """Without torchrun, which would give a process that does not end half a minute more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    line = command(demo, student, tmp_path / "out", "--epochs", "500", "--lost-after", "4")
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    ranks = [subprocess.Popen(line, env={**os.environ, **place, "RANK": str(rank)}, **pipes) for rank in (0, 1)]
    try:
        wait_until(lambda: len(lines(tmp_path / "out")) > 5 or ranks[0].poll() is not None)
        ranks[1].send_signal(signal.SIGSTOP)
        _, said = ranks[0].communicate(timeout=30)
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()
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
