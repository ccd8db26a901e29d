"""Progress on stderr where there is no terminal: a line now and then, none of short work, none with ``--quiet``."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from store_factory import make_store

import cli.progress
from cli.progress import Lines, line
from store.storage import LocalStorage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds; a test moves it."""
    now = [1000.0]
    monkeypatch.setattr(cli.progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The lines, as they come."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    caplog.set_level(logging.INFO, logger="cli")
    logging.getLogger("cli.progress").addHandler(handler)
    yield lines
    logging.getLogger("cli.progress").removeHandler(handler)


def test_a_line_comes_after_ten_seconds_and_then_every_thirty(clock: list[float], said: list[str]) -> None:
    tick = Lines()
    at = {}
    for second in range(100):
        clock[0] = 1000 + second
        before = len(said)
        tick("labelling", second * 10, 1000)
        if len(said) > before:
            at[second] = said[-1]
    assert list(at) == [10, 40, 70]
    assert at[40] == "labelling: 400 of 1,000 (40%), 10 a second, 60 s left"


def test_short_work_is_told_in_no_line(clock: list[float], said: list[str]) -> None:
    tick = Lines()
    for second in range(10):
        clock[0] = 1000 + second
        tick("labelling", second, 9)
    assert said == []


def test_the_pace_is_that_of_its_own_stage_without_the_time_before_its_first_work(
    clock: list[float], said: list[str]
) -> None:
    tick = Lines()
    for second, what, done in ((0, "checking rows", 5000), (100, "labelling", 0), (200, "labelling", 0)):
        clock[0] = 1000 + second
        tick(what, done, None if what == "checking rows" else 300)
    clock[0] = 1250
    tick("labelling, so to say", 100, 300)
    assert said == [
        "labelling: 0 of 300 (0%)",
        "labelling: 0 of 300 (0%)",
        "labelling, so to say: 100 of 300 (33%), 2 a second, 1.67 min left",
    ]


@pytest.mark.parametrize(
    ("what", "done", "total", "pace", "shown"),
    [
        ("checking rows", 12_000, None, 1500.0, "checking rows: 12,000, 1,500 a second"),
        ("drawing the page", 0, None, 0.0, "drawing the page"),
        ("labelling", 0, 0, 0.0, "labelling"),
        ("training, epoch 2, loss 0.3", 9, 9, 1.0, "training, epoch 2, loss 0.3: 9 of 9 (100%), 1 a second"),
    ],
)
def test_a_line_says_what_is_known(what: str, done: int, total: int | None, pace: float, shown: str) -> None:
    assert line(what, done, total, pace) == shown


@pytest.mark.parametrize(("flags", "is_shown"), [([], True), (["--quiet"], False), (["--log-level", "warning"], False)])
def test_commands_say_in_a_pipe_how_far_they_are(tmp_path: Path, flags: list[str], is_shown: bool) -> None:
    make_store(LocalStorage(tmp_path / "a.store"))
    at_once = (
        "import cli.progress as p, sys; p.LINE_SECONDS = p._FIRST_SECONDS = 0.0; from cli.main import run; "
        f"sys.exit(run({json.dumps(['copy', str(tmp_path / 'a.store'), str(tmp_path / 'b.store'), *flags])}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", at_once], capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert ("copying" in done.stderr) == is_shown
