"""Folders of a store in a folder: their names, who writes into them, and how one is taken away.

A folder is removed by a rename, in one step for all readers. Its lock goes along: who waits for it finds that another
folder, or none, is in the old place.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from store.errors import StoreError
from store.storage.file_lock import REMOVAL_SECONDS, Lock, is_at, locked_folder, opened_folder


def names_in(path: Path) -> list[str]:
    """Names directly in the folder ``path``, sorted: all of one folder, also if it is removed meanwhile."""
    while True:
        descriptor = opened_folder(path)
        if descriptor is None:
            return []
        try:
            names = sorted(os.listdir(descriptor))  # noqa: PTH208 - a descriptor is no path
            if is_at(descriptor, path):
                return names
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def kept_folder(path: Path, *, seconds: float) -> Iterator[None]:
    """Share the lock of a folder that is written into; on a disk that knows no locks, nobody can be `alone_in` it.

    Raises:
        StoreError: another process is alone in it for ``seconds``.
    """
    with locked_folder(path, shared=True, seconds=seconds) as lock:
        if lock is Lock.HELD:
            raise StoreError(f"{path}: another process is removing from it; try again")
        yield


@contextlib.contextmanager
def alone_in(path: Path) -> Iterator[bool]:
    """Hold the lock of a folder; False if others keep it, or if there is none.

    Raises:
        StoreError: the disk knows no locks.
    """
    with locked_folder(path, shared=False, seconds=REMOVAL_SECONDS) as lock:
        if lock is Lock.UNKNOWN:
            raise StoreError(
                f"{path}: this disk knows no file locks, so that nobody can tell whether it is being written; end "
                "everything that uses the store, and delete it yourself"
            )
        yield lock is Lock.TAKEN


def take_away(path: Path, target: Path, *, sync: Callable[[Path], None]) -> None:
    """Rename the folder ``path`` to ``target``, durably, and delete it there.

    Raises:
        StoreError: it is a link.
    """
    if path.is_symlink():
        raise StoreError(f"{path} is a link to {path.resolve()}; delete that folder, and then the link")
    path.rename(target)
    sync(path.parent)
    sync(target.parent)
    delete_folder(target)


def delete_folder(path: Path) -> bool:
    """Delete a folder of files; False if it was not there. Several processes may do so at once."""
    try:
        names = os.listdir(path)  # noqa: PTH208 - names alone, of many files
    except (FileNotFoundError, NotADirectoryError):
        return False
    for name in names:
        (path / name).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.rmdir()
    return True
