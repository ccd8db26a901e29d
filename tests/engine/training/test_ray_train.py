"""The recipe for Ray Train in ``engine/CLUSTERS.md``, as it stands there, on a cluster of two nodes of this machine."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forked import wait_until
from transformers import AutoConfig

import engine
from engine.testing.ray_cluster import RayCluster

pytest.importorskip("ray.train.torch", exc_type=ImportError)
(RECIPE,) = re.findall(r"```python\n(.*?)```", (Path(engine.__file__).parent / "CLUSTERS.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def student(demo, tmp_path_factory) -> Path:
    """A configuration without dropout, whose random numbers a resume repeats on each rank."""
    folder = tmp_path_factory.mktemp("student")
    config = AutoConfig.from_pretrained(
        demo.path("start-student"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    config.save_pretrained(folder)
    return folder / "config.json"


@pytest.fixture(scope="module")
def by_torchrun(demo, student, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("torchrun") / "out"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cli"]
    options = ["--student", str(student), "--out", str(out), "--epochs", "2", "--batch-size", "64"]
    line = [*launcher, "train", demo.path("reviews.store"), *options, "--learning-rate", "2e-4"]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=200)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def cluster():
    with RayCluster(2) as made:
        yield made


def recipe(demo, student, folder: Path) -> Path:
    """A program: the recipe, with these files, and on two processors."""
    said = {
        "/shared/reviews.store": demo.path("reviews.store"),
        "bert-base-uncased": str(student),
        "/shared/student": str(folder / "out"),
        "/shared/ray": str(folder / "ray"),
        "every_steps=200": "every_steps=20",
        "num_workers=16, use_gpu=True": "num_workers=2",
    }
    code = RECIPE
    for ours, theirs in said.items():
        assert code.count(ours) == 1
        code = code.replace(ours, theirs)
    (folder / "recipe.py").write_text(code)
    return folder / "recipe.py"


def start(program: Path, cluster: RayCluster) -> subprocess.Popen:
    place = {"RAY_TRAIN_ENABLE_V2": "1", "PYTHONPATH": str(Path(engine.__file__).parents[1]), **cluster.environment}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, str(program)], env={**os.environ, **place}, cwd=program.parent, **output)


def lines(out: Path) -> list[dict]:
    path = out / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check_same(out: Path, by_torchrun: Path) -> None:
    assert json.loads((out / "training.json").read_text())["ranks"] == 2
    assert (out / "model.safetensors").read_bytes() == (by_torchrun / "model.safetensors").read_bytes()
    losses = ([line["loss"] for line in lines(folder) if "loss" in line] for folder in (out, by_torchrun))
    ours, theirs = losses
    assert ours == theirs


def test_the_student_is_that_of_torchrun(demo, student, by_torchrun, cluster, tmp_path):
    process = start(recipe(demo, student, tmp_path), cluster)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    check_same(tmp_path / "out", by_torchrun)


def test_a_worker_that_is_killed_is_started_again_and_goes_on(demo, student, by_torchrun, cluster, tmp_path):
    process = start(recipe(demo, student, tmp_path), cluster)
    wait_until(lambda: len(lines(tmp_path / "out")) > 50 or process.poll() is not None)
    assert process.poll() is None, "it was done before it could be stopped"
    os.kill(cluster.worker("RayTrainWorker"), signal.SIGKILL)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert re.search(r"resuming after step \d+ of", said), said
    check_same(tmp_path / "out", by_torchrun)
