"""A file outside a store that appears whole or not at all, and that a power cut leaves as it was or as it is now.

It is written beside its place under a name of its own, synced and renamed; then its folder is synced.
"""

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

sync_files = True
"""Whether anything is waited for until it is on the disk. Tests that need no durable files turn it off."""

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")


def fsync(descriptor: int) -> None:
    """Wait until an open file or folder is on the disk, unless `sync_files` is off."""
    if sync_files:
        os.fsync(descriptor)


def sync(path: Path, *, fsync: Callable[[int], None] = fsync) -> None:
    """Wait until the file or folder ``path`` is on the disk.

    Args:
        path: of the file or folder.
        fsync: waits for its descriptor.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write a file to; it becomes ``target`` when the block ends without an error.

    Raises:
        OSError: it cannot be written; ``target`` is as it was, and nothing is left beside it.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(target: Path, data: bytes | str) -> None:
    """Write ``data`` into ``target``, text as UTF-8; a file that is there is replaced.

    Raises:
        OSError: as `replaced`.
    """
    with replaced(target) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def is_unfinished(name: str) -> bool:
    """Whether a file called ``name`` is what a killed `replaced` left."""
    return _UNFINISHED.fullmatch(name) is not None


def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left in ``folder``. Nobody else may be writing there."""
    for path in folder.iterdir():
        if is_unfinished(path.name):
            path.unlink()
