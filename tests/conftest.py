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
from hypothesis import settings

from store.storage import atomic_file

settings.register_profile("the-same", derandomize=True)  # a change is judged by what it changes
settings.load_profile("the-same")  # others each time: --hypothesis-profile=default
os.environ["HF_HUB_OFFLINE"] = "1"
atomic_file.sync_files = False
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: OpenMP threads that spin would slow down the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what it runs in the background so
    signal.signal(signal.SIGINT, signal.default_int_handler)


DEMO_ROWS = 2_000
SHORT_DEMO = """
import dataclasses, sys
from cli.main import run, settle_process
settle_process()
import engine.demo.path as path
path.STUDENT_ROWS, path.PRETRAIN = 16_000, dataclasses.replace(path.PRETRAIN, epochs=1)
sys.exit(run(sys.argv[1:]))
"""
COVERAGE = sys.modules["coverage"].Coverage.current() if "coverage" in sys.modules else None
TRACED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS")}
PLACES = ("AWS_", "AZURE_", "ENGINE_", "GOOGLE_", "RAY_")
FIRST = (  # files that take long: the other workers have enough to do beside them
    "training/test_distill.py",
    "verify/test_verify.py",
    "store/test_faults.py",
    "runners/test_local_processes.py",
    "store/test_state_machine.py",
    "labelling/test_labelling.py",
    "training/test_distributed.py",
)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than cores: every fifth second of a test is waiting, for a process or a time limit."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long runs unless ``-m`` names them; begin with the files that take long, and one that needs the demo.

    Workers take whole files in this order. While one makes the demo, the others go through files that need none. Workers
    whose tests have other names stop, so that no name may have the address of an object, which each has elsewhere.
    """
    if addressed := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"give this test's parameters names (ids=): {addressed[0]}")
    if "slow" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="a long run; choose it with -m slow"))
    of_demo = {item.path for item in items if "demo" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (_place(item.path, of_demo), str(item.path)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Coverage is that of the store by tests of it, of tokens and of ingest; to trace the others takes long."""
    if COVERAGE is None:
        return
    COVERAGE.stop()
    for name in TRACED:
        os.environ.pop(name, None)
    if any(part in str(item.path) for part in ("tests/store/", "tests/engine/tokens/", "tests/engine/ingest/")):
        os.environ.update(TRACED)
        COVERAGE.start()


def _place(path: Path, of_demo: set[Path]) -> tuple[int, int]:
    """Where a file comes: the longest one that needs the demo, the long ones that need none, the others."""
    length = next((at for at, name in enumerate(FIRST) if str(path).endswith(name)), len(FIRST))
    return (0, 0) if length == 0 else (1 + (path in of_demo), length)


@pytest.fixture(autouse=True)
def durable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of durability wait for the disk, as programs do; they are marked so. No other test does."""
    if request.node.get_closest_marker("durable"):
        monkeypatch.setattr(atomic_file, "sync_files", True)


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """A command that a test runs in its own process, perhaps a quiet one, says nothing of what later tests log."""
    yield
    for room in ("cli", "engine", "store"):
        logging.getLogger(room).setLevel(logging.NOTSET)


@pytest.fixture(autouse=True, scope="module")
def environment_is_kept() -> Iterator[None]:
    """The places and credentials that the tests of a file set in the environment are gone after them."""
    before = _environment()
    yield
    left = {name for name, _ in _environment().items() ^ before.items()}
    for name in left:
        os.environ.pop(name, None)
    os.environ.update({name: before[name] for name in left & before.keys()})
    assert not left


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PLACES)}


@dataclass(frozen=True)
class Demo:
    """A folder in which ``engine demo`` has been.

    Attributes:
        folder: texts, models, ``report.html`` and ``reviews.store``, without its round of gold.
        arms: the four rows of its table.
        rows: how many reviews it labels.
        made_in: where it was made, which the store's cards name; `folder` is a copy.
        said: what it wrote to standard error.
    """

    folder: Path
    arms: list[SimpleNamespace]
    made_in: Path
    said: str
    rows: int = DEMO_ROWS

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
    """Run the command with fewer epochs, keep what it printed in a file beside ``folder``, and remove its gold.

    Tests add their own rounds of it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-c", SHORT_DEMO, "demo", "--rows", str(DEMO_ROWS), "--out", str(folder)]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, timeout=480)
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
        timeout=480,
    )


@pytest.fixture
def run_engine():
    return engine_command
