"""What many tests share: the demo's whole path, gone once, and a way to run the command line as a user does."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Demo:
    """A folder in which `engine.demo.path.run_demo` has been.

    Attributes:
        folder: texts, models and ``reviews.store``, without its round of gold.
        arms: the four rows of its table.
    """

    folder: Path
    arms: list

    def path(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    from engine.demo.path import run_demo

    folder = tmp_path_factory.mktemp("demo")
    said: list[str] = []
    result = run_demo(folder, rows=4_000, say=said.append)
    assert said
    shutil.rmtree(folder / "reviews.store" / "gold")  # tests add their own
    return Demo(folder, result.arms)


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
