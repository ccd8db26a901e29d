"""A command in a process of its own → what it printed and what it used: seconds, memory, open files.

Memory is read on the way, the system's own high-water mark included. What ``/usr/bin/time`` and `os.wait4` give is
that of the parent, where it was larger before the process began.
"""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PAUSE = 0.01


@dataclass(kw_only=True)
class Measured:
    """Resources that one process used.

    Attributes:
        answer: what it printed, as JSON.
        seconds: from its start to its end, interpreter and imports included.
        cpu_seconds: of all its threads.
        peak_megabytes: the most memory that it had, mapped files included.
        peak_private_megabytes: the most memory of its own that was seen.
        halves: the same of the first and the second half of its time, to see whether it grows.
        descriptors: the most open files that were seen.
    """

    answer: Any
    seconds: float
    cpu_seconds: float
    peak_megabytes: int
    peak_private_megabytes: int
    halves: tuple[int, int]
    descriptors: int


@dataclass
class _Seen:
    """Samples of a running process: its peak and its private memory in kB, and open files."""

    peak: int = 0
    private: list[int] = field(default_factory=list)
    descriptors: int = 0

    def watch(self, pid: int, done: threading.Event) -> None:
        while not done.wait(_PAUSE):
            try:
                self.descriptors = max(self.descriptors, len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - names only
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        self.private.append(int(line.split()[1]))
                    elif line.startswith("VmHWM:"):
                        self.peak = int(line.split()[1])
            except OSError:
                return


def measure(module: str, request: dict[str, Any]) -> Measured:
    """Run ``python -m module`` with ``request`` as JSON on its stdin; it prints JSON.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    seen, done = _Seen(), threading.Event()
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-m", module], text=True, **pipes) as child:  # type: ignore[call-overload]
        watcher = threading.Thread(target=seen.watch, args=(child.pid, done))
        watcher.start()
        child.stdin.write(json.dumps(request))
        child.stdin.close()
        printed, words = child.stdout.read(), child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    if child.returncode != 0:
        raise RuntimeError(f"{module} {request} ended with {child.returncode}: {words[-2000:]}")
    middle = len(seen.private) // 2
    halves = (max(seen.private[:middle], default=0) // 1024, max(seen.private[middle:], default=0) // 1024)
    return Measured(
        answer=json.loads(printed),
        seconds=round(seconds, 2),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 2),
        peak_megabytes=seen.peak // 1024,
        peak_private_megabytes=max(halves),
        halves=halves,
        descriptors=seen.descriptors,
    )
