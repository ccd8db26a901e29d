"""Arrow files of unknown origin, read in a process of their own first: pyarrow trusts what a file says of itself.

Of 6,000 files with a few damaged bytes, 493 ended the process that used them unvalidated. A schema and a footer are
followed before there is anything to validate: so a child without torch reads a file first, every batch and every column
that can be kept, and says what is wrong with them. It is kept for the next files, and ends once one is damaged.
"""

import atexit
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

from engine.errors import InputError

MEMORY = 6 << 30  # bytes of private memory: Arrow reserves 1 GiB of it, and a batch must be held to be checked
_REMEDY = "Write it again, or as Parquet"
_IDLE_SECONDS, _END_SECONDS = 10.0, 5.0


def check_arrow(file: str) -> None:
    """Let a child read ``file``, once for each state that it is in.

    Raises:
        InputError: it cannot be read, or the child died of it.
    """
    state = Path(file).stat()
    _check(file, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=4096)
def _check(file: str, state: tuple[int, int, int]) -> None:  # noqa: ARG001 - a key of the cache
    problem = _checker.problem(str(Path(file).absolute()))
    if problem is not None:
        raise InputError(f"{file} cannot be read: {problem}. {_REMEDY}")


class _Checker:
    """The child, seen from its parent. It is started for the first file, and again if it has ended."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def problem(self, file: str) -> str | None:
        """What is wrong with ``file``; None if nothing is."""
        with self._lock:
            answer = self._ask(file)
            while answer is None:
                status, said = self._ended()
                if status < 0:
                    number = -status
                    name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
                    return f"a process that read it died of it ({name})"
                if status > 0:
                    return said.strip()[-1000:]
                answer = self._ask(file)  # it had ended since it had nothing to do
            problem: str | None = json.loads(answer)
            if problem is not None:
                self._ended()
            return problem

    def _ask(self, file: str) -> str | None:
        """The child's answer; None if it has ended."""
        if self._child is None:
            command = [sys.executable, "-P", "-m", "engine.inputs.arrow_files.arrow_sandbox"]
            pipe = subprocess.PIPE
            self._child = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace"
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(json.dumps(file) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return None
        return self._child.stdout.readline() or None

    def _ended(self) -> tuple[int, str]:
        """The status of the child, and what it wrote to stderr; it has ended, or ends now."""
        child, self._child = self._child, None
        assert child is not None
        try:
            _, said = child.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            _, said = child.communicate()
        return child.returncode, said

    def end(self) -> None:
        """End the child, if it runs; the next file starts another."""
        with self._lock:
            if self._child is not None:
                self._ended()


_checker = _Checker()
end_checker = _checker.end
atexit.register(end_checker)


def main() -> None:
    """Check the files whose names come in, a line each; say what is wrong with each, as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent says what ends
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    while select.select([sys.stdin], [], [], _IDLE_SECONDS)[0] and (line := sys.stdin.readline()):
        problem = _problem(json.loads(line))
        sys.stdout.write(json.dumps(problem) + "\n")
        sys.stdout.flush()
        if problem is not None:
            os._exit(0)  # objects that were made from a bad file are not taken apart


def _problem(file: str) -> str | None:
    import pyarrow as pa

    from engine.inputs.arrow_files.tables import arrow_batches, validate

    try:
        with arrow_batches(file) as (_, batches):
            for batch in batches:
                validate(batch)
    except MemoryError:
        return f"one of its batches needs more than {MEMORY >> 30} GiB to be checked"
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
