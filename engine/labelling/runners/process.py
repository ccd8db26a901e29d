"""A worker process, seen from its parent: starting it, its messages, ending it.

Not `multiprocessing.Process`, which runs the user's script again in the child and needs a main guard there.
"""

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import IO, Any

from engine.labelling.runners.handle import WorkerHandle
from engine.labelling.runners.messages import Message

_log = logging.getLogger("engine.labelling")
_GRACE_SECONDS = 3.0
_REAP_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class WorkerProcess(WorkerHandle):
    """A running worker in a process of this machine.

    Args:
        job: the pickled `engine.labelling.runners.base.Job`.
        device: of the worker.
    """

    def __init__(self, job: bytes, device: str) -> None:
        super().__init__()
        self.connection: Connection[Any, Any]
        self.connection, theirs = Pipe()
        # Blocked here and, by inheritance, in the child until the child has set which signals it ignores.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            self._process = subprocess.Popen(
                # -P: an engine.py in the working directory is not ours.
                [sys.executable, "-P", "-m", "engine.labelling.runners.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        assert self._process.stderr is not None
        self._listener = threading.Thread(target=_log_lines, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        with contextlib.suppress(OSError):  # it has died already, which reading from it will show
            self.connection.send_bytes(job)
            self.connection.send(device)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def _send(self, shard: int) -> None:
        with contextlib.suppress(OSError):  # as above
            self.connection.send(shard)

    def receive(self) -> Message | None:
        """Read from its connection."""
        self.heard = time.monotonic()
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._reap()

    def died(self) -> str:
        """Its exit status or signal."""
        if not self._wait(_REAP_SECONDS):  # its connection is closed, but it still runs
            self._process.kill()
        self._reap()
        code = self._process.returncode
        if code is None or code >= 0:
            return f"its process ended with status {code}"
        hint = " (the kernel does that when memory runs out)" if code == -signal.SIGKILL else ""
        return f"its process was killed by {signal.Signals(-code).name}{hint}"

    def _reap(self) -> None:
        if not self._wait(_REAP_SECONDS):
            _log.warning("worker process %d does not end even by SIGKILL; its driver hangs", self._process.pid)
        self._listener.join(_LAST_WORDS_SECONDS)
        self.connection.close()

    def _wait(self, seconds: float) -> bool:
        try:
            self._process.wait(timeout=max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _ask_to_end(self, *, finished: bool) -> None:
        if not finished:
            self._process.terminate()
            return
        with contextlib.suppress(OSError):
            self.connection.send(None)


def _log_lines(stderr: IO[bytes]) -> None:
    """Log what a worker, or a library in it, writes: it has no say in how this process shows notes."""
    with stderr:
        for line in stderr:
            if text := line.decode(errors="backslashreplace").rstrip():
                _log.warning("%s", text)


class Processes:
    """A `engine.labelling.runners.handle.Crew` of worker processes."""

    retires = False

    def start(self, job: bytes, device: str) -> WorkerProcess:
        """Start a process."""
        return WorkerProcess(job, device)

    def wait(self, workers: Sequence[WorkerProcess], seconds: float) -> Sequence[WorkerProcess]:
        """Wait for their connections."""
        readable = wait([worker.connection for worker in workers], timeout=seconds)
        return [worker for worker in workers if worker.connection in readable]

    def end(self, workers: Sequence[WorkerProcess], *, finished: bool) -> None:
        """Ask all to end, and kill those that do not."""
        for worker in workers:
            worker._ask_to_end(finished=finished)
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in workers:
            worker._wait(deadline - time.monotonic())
        for worker in workers:
            worker.kill()
