"""Locks on the files of a store in a folder: who holds one is alive, and a file whose lock is free has no writer.

A lock is held while its file is open, also after a rename, and goes with its process.
"""

import contextlib
import enum
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
    return _take(file.fileno(), fcntl.LOCK_EX, seconds) is Lock.TAKEN


class Lock(enum.Enum):
    """What became of an attempt to lock something."""

    TAKEN = "taken"
    HELD = "another holds it"
    UNKNOWN = "the disk knows no locks"


def _take(descriptor: int, kind: int, seconds: float) -> Lock:
    ends = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                return Lock.UNKNOWN
            if time.monotonic() >= ends:
                return Lock.HELD
            time.sleep(0.005)
        else:
            return Lock.TAKEN


@contextlib.contextmanager
def locked_folder(path: Path, *, shared: bool, seconds: float) -> Iterator[Lock | None]:
    """Hold the lock of the folder ``path``, which a rename takes along; None if there is no such folder.

    A folder that comes into the place of another one while its lock is waited for is another folder.

    Args:
        path: of the folder.
        shared: whether others may share the lock.
        seconds: how long to wait for others.
    """
    while True:
        descriptor = opened_folder(path)
        if descriptor is None:
            yield None
            return
        try:
            taken = _take(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, seconds)
            if is_at(descriptor, path):
                yield taken
                return
        finally:
            os.close(descriptor)


def opened_folder(path: Path) -> int | None:
    """A descriptor of the folder ``path``; None if there is none."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file or folder is the one that is at ``path`` now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool | None:
    """Whether a process holds the lock of the file ``path``; None if the disk knows no locks."""
    try:
        with path.open("rb") as file:
            taken = _take(file.fileno(), fcntl.LOCK_SH, 0.0)
    except FileNotFoundError:
        return False
    return None if taken is Lock.UNKNOWN else taken is Lock.HELD


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
