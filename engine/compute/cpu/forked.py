"""Pieces of work → their arrays, computed by this process and by forked ones, one thread each. No torch.

Threads that share a product wait for each other at its end, and on a busy machine for one that is not running. Here
nobody waits: each process takes the next piece from a pipe and puts its result into shared memory. The others are
forked from this one, so that they have its weights without a copy, and end with the call. They do nothing but compute:
whatever one leaves undone, because it was killed or an error came, is computed here.
"""

import contextlib
import gc
import logging
import mmap
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from engine.compute.cpu.limits import available_bytes

Array = npt.NDArray[np.float32]
Compute = Callable[[int, Callable[[], None]], Array]
"""Number of a piece → its rows; calls what it is given as it makes progress."""

SILENT_SECONDS = 60.0
_NUMBER = 4  # bytes in the pipe
_BYTES_EACH = 512 << 20  # of memory that is not shared: the tensors of a batch
_POLL_SECONDS = 0.25
_SUSPENDED_SECONDS = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
_log = logging.getLogger("engine.labelling")


def can_fork() -> bool:
    """Whether processes can be forked from one that has computed: on Linux."""
    return sys.platform == "linux"


def fitting(processes: int) -> int:
    """As many of ``processes``, this one among them, as have enough memory."""
    free = available_bytes()
    return processes if free is None else max(1, min(processes, 1 + free // _BYTES_EACH))


def compute_forked(
    sizes: Sequence[int], compute: Compute, *, width: int, others: int, tick: Callable[[int], None]
) -> tuple[Array, int]:
    """The rows of all pieces, one piece after the other; and how many of the other processes failed.

    Args:
        sizes: rows of each piece; there is one at least.
        compute: computes a piece: the same, whichever process does.
        width: of a row.
        others: processes to fork.
        tick: called with rows done, here.

    Raises:
        Exception: an error of ``compute``, here; no process is left behind, whatever ends the call.
    """
    board = _Board(sizes, width)

    def progress() -> None:
        tick(board.rows_done())

    with _forked(board, compute, others) as team:
        while (number := team.take()) is not None:
            board.put(number, compute(number, progress))
            progress()
        lost = team.wait(progress)
    for number in board.undone():
        board.put(number, compute(number, progress))
        progress()
    return board.rows, lost


class _Board:
    """What the processes share.

    Args:
        sizes: rows of each piece.
        width: of a row.

    Attributes:
        rows: (all rows, width) the results.
    """

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        self._sizes = np.asarray(sizes)
        self._ends = np.cumsum(self._sizes)
        count = int(self._ends[-1]) * width
        self.rows: Array = np.frombuffer(_shared(count * 4), np.float32, count).reshape(-1, width)
        self._done = np.frombuffer(_shared(len(sizes)), np.bool_, len(sizes))

    def put(self, number: int, array: Array) -> None:
        """Put the result of a piece."""
        self.rows[self._ends[number] - self._sizes[number] : self._ends[number]] = array
        self._done[number] = True

    def rows_done(self) -> int:
        """Rows of all pieces that are done."""
        done = self._done.copy()  # numpy counts first and copies then: others must not write in between
        return int(self._sizes[done].sum())

    def undone(self) -> list[int]:
        """Pieces that are not done."""
        return [int(number) for number in np.flatnonzero(~self._done)]


def _shared(size: int) -> mmap.mmap:
    """Memory, zeroed, that forked processes share."""
    return mmap.mmap(-1, max(1, size))


class _Team:
    """The forked processes of one call.

    Args:
        numbers: of the pieces, in the order to take them.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        self._pids: list[int] = []
        self._lost = 0
        self._left = list(reversed(numbers))
        self._reading, self._writing = os.pipe()
        self._ended, self._alive = os.pipe()  # the end of the last process that has ``_alive`` shows in ``_ended``
        os.set_blocking(self._writing, False)
        self._beats = np.frombuffer(_shared(8 * 1024), np.int64)

    def start(self, board: _Board, compute: Compute, others: int) -> None:
        """Fork; fewer if the system has no more processes."""
        parent = os.getpid()
        self._fill()
        for place in range(min(others, len(self._beats))):
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            try:
                pid = _fork()
                if pid == 0:
                    self._help(board, compute, parent, place)
                self._pids.append(pid)
            except OSError as error:
                _log.debug("no more than %d processes: %s", place + 1, error)
                break
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self._alive = _closed(self._alive)

    def _help(self, board: _Board, compute: Compute, parent: int, place: int) -> NoReturn:
        """Compute pieces in a forked process until there are no more. Nothing of the caller's goes on here."""
        status = 1
        try:
            gc.disable()
            for number in (signal.SIGINT, signal.SIGUSR1):  # a terminal sends them to all; the parent decides
                signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._ended)
            if self._writing >= 0:
                os.close(self._writing)

            def beat() -> None:
                self._beats[place] += 1
                if os.getppid() != parent:
                    os._exit(1)

            while len(number_read := os.read(self._reading, _NUMBER)) == _NUMBER:
                beat()
                piece = int.from_bytes(number_read, "little")
                board.put(piece, compute(piece, beat))
            status = 0
        finally:
            os._exit(status)

    def take(self) -> int | None:
        """The next piece; None if all are taken. Who fills the pipe must not wait for it while numbers are left."""
        self._fill()
        if self._left:
            return self._left.pop()
        number = os.read(self._reading, _NUMBER)
        return int.from_bytes(number, "little") if number else None

    def _fill(self) -> None:
        """Write as many numbers as the pipe takes; at their end, close it."""
        with contextlib.suppress(BlockingIOError):
            while self._left:
                os.write(self._writing, self._left[-1].to_bytes(_NUMBER, "little"))
                self._left.pop()
            self._writing = _closed(self._writing)

    def wait(self, progress: Callable[[], None]) -> int:
        """Wait until the others have ended, and end those that say nothing; how many failed."""
        seen, heard = self._beats.copy(), time.monotonic()
        polled = heard
        ended = select.poll()  # which takes descriptors of any number
        ended.register(self._ended, select.POLLIN | select.POLLHUP)
        while not ended.poll(_POLL_SECONDS * 1000):
            progress()
            now = time.monotonic()
            if (self._beats != seen).any() or now - polled > _SUSPENDED_SECONDS:  # or this process was suspended
                seen, heard = self._beats.copy(), now
            if now - heard > SILENT_SECONDS:
                break
            polled = now
        self.end()
        return self._lost

    def end(self) -> None:
        """Kill those that still run, and leave nothing open."""
        while self._pids:
            pid = self._pids[-1]  # until it is gone: an interrupt may come at any time
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                self._lost += os.waitpid(pid, 0)[1] != 0
            self._pids.pop()
        self._reading, self._ended = _closed(self._reading), _closed(self._ended)
        self._writing, self._alive = _closed(self._writing), _closed(self._alive)


@contextmanager
def _forked(board: _Board, compute: Compute, others: int) -> Iterator[_Team]:
    team = _Team(board.undone())
    try:
        team.start(board, compute, others)
        yield team
    finally:
        team.end()


def _fork() -> int:
    with warnings.catch_warnings():  # Python 3.12 warns if there are threads: the other process computes without them
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1
