"""Files that are held by a lock while their writer lives, so that another process can tell a dead writer's file."""

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

THIS_MACHINE = "".join(char if char.isalnum() else "_" for char in platform.node())
"""How the names of temporary files of this machine begin: locks say nothing of writers on another one."""

_REMOVAL_SECONDS = 1.0


def create_held(folder: Path) -> tuple[Path, io.BufferedWriter]:
    """A new file in ``folder`` whose lock we hold."""
    while True:
        path = folder / f"{THIS_MACHINE}-{os.getpid()}-{uuid.uuid4().hex}"
        file = path.open("xb")
        lock(file, seconds=_REMOVAL_SECONDS)
        if os.fstat(file.fileno()).st_nlink:  # nobody swept it between its creation and the lock
            return path, file
        file.close()


def lock(file: io.BufferedIOBase, *, seconds: float = 0.0) -> bool:
    """Lock ``file`` while it is open; False where another holds it for ``seconds``, or the disk knows no locks."""
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
def locked_if_there(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, if it is there, against one who is about to remove it; that takes no time."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield
        return
    with file:
        lock(file, seconds=_REMOVAL_SECONDS)
        yield
