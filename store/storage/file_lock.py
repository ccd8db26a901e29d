"""Locks on the files of a store in a folder: who holds one is alive, and a file whose lock is free has no writer.

A lock is held while its file is open, also after a rename, and goes with its process.
"""

import contextlib
import errno
import fcntl
import io
import os
import platform
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

REMOVAL_SECONDS = 1.0
THIS_MACHINE = "".join(char if char.isalnum() else "_" for char in platform.node())


def create_locked_file(folder: Path) -> tuple[Path, io.BufferedWriter]:
    """A new file in ``folder``, open and locked."""
    while True:
        path = folder / f"{THIS_MACHINE}-{os.getpid()}-{uuid.uuid4().hex}"
        file = path.open("xb")
        lock(file, seconds=REMOVAL_SECONDS)
        if os.fstat(file.fileno()).st_nlink:  # nobody swept it between its creation and the lock
            return path, file
        file.close()


def lock(file: io.BufferedIOBase, *, seconds: float = 0.0) -> bool:
    """Lock ``file`` while it is open; False if another holds it for ``seconds``, or the disk knows no locks."""
    ends = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR) or time.monotonic() >= ends:
                return False
            time.sleep(0.005)
        else:
            return True


@contextlib.contextmanager
def locked_if_present(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, if it exists, against a process that is about to remove it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield
        return
    with file:
        lock(file, seconds=REMOVAL_SECONDS)
        yield
