"""What many tests share: the demo's whole path, gone once, and a way to run the command line as a user does."""

import fcntl
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: OpenMP threads that spin would slow down the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what it runs in the background so
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long runs unless ``-m`` names them."""
    if "slow" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="a long run; choose it with -m slow"))


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """A command that a test runs in its own process, perhaps a quiet one, says nothing of what later tests log."""
    yield
    for room in ("engine", "store"):
        logging.getLogger(room).setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not synced, which takes 10 ms each: a machine that fails is not tested, except in ``durable`` tests."""
    if request.node.get_closest_marker("durable") is None:
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@dataclass(frozen=True)
class Demo:
    """A folder in which ``engine demo`` has been.

    Attributes:
        folder: texts, models, ``report.html`` and ``reviews.store``, without its round of gold.
        arms: the four rows of its table.
        made_in: where it was made, which the store's cards name; `folder` is a copy.
        said: what it wrote to standard error.
    """

    folder: Path
    arms: list[SimpleNamespace]
    made_in: Path
    said: str

    def path(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Demo:
    """Made once for all workers; each has a copy, in which its tests may write."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "demo"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.with_suffix(".json").exists():
            make_demo(shared)
    printed = json.loads(shared.with_suffix(".json").read_text())
    folder = tmp_path_factory.mktemp("demo") / "demo"
    shutil.copytree(shared, folder)
    return Demo(folder, [SimpleNamespace(**arm) for arm in printed["arms"]], shared, printed["said"])


def make_demo(folder: Path) -> None:
    """Run the command, keep what it printed in a file beside ``folder``, and remove its gold: tests add their own."""
    shutil.rmtree(folder, ignore_errors=True)
    done = engine_command("demo", "--rows", "4000", "--out", str(folder), "--format", "json")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "reviews.store" / "gold")
    printed = {"arms": json.loads(done.stdout), "said": done.stderr.replace(str(folder), "FOLDER")}
    folder.with_suffix(".json").write_text(json.dumps(printed))


def engine_command(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``engine`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=240,
    )


@pytest.fixture
def run_engine():
    return engine_command
