"""A command of `engine` in a process of its own → when it had computed the first rows, as JSON on stdout's last line.

    python -m benchmarks.startup.child label …

Seconds are counted from the start of the process, as the kernel has it, interpreter and imports included.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cli.progress
from cli.main import run, settle_process

_COMPUTING = ("labelling", "computing logits")


def since_start() -> float:
    """Seconds since this process was started."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


class Stages:
    """A `engine.progress.Tick` that notes when each stage began, and when the labelling had its first rows."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._labels = False

    def __call__(self, what: str, done: int, _total: int | None) -> None:
        """Note it."""
        self._labels = self._labels or what == "labelling"
        self.seconds.setdefault(what, round(since_start(), 3))
        if self._labels and what in _COMPUTING and done:
            self.seconds.setdefault("first rows", round(since_start(), 3))
            self.seconds.setdefault("first rows, CPU", round(time.process_time(), 3))


def main() -> int:
    """Run the command as its console script does; print the stages."""
    stages = Stages()

    @contextmanager
    def noted(_: Any) -> Iterator[Stages]:
        yield stages

    cli.progress.progress = noted  # type: ignore[assignment]
    settle_process()
    code = run(sys.argv[1:])
    print(json.dumps({"code": code, "seconds": stages.seconds}))
    return code


if __name__ == "__main__":
    sys.exit(main())
