"""The version of an input file: whether it is still the same can be asked at any time."""

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions
from store.format.segments import InputEntry

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class FileVersion:
    """A file at one time: what changes when it is written to or replaced.

    Attributes:
        path: where it is.
        size: in bytes.
        modified: time of its last change, in nanoseconds.
        number: of its inode.
    """

    path: str
    size: int
    modified: int
    number: int

    def check(self) -> None:
        """Refuse the file if it has changed.

        Raises:
            InputError: it has, or is gone.
        """
        if file_version(self.path) != self:
            raise InputError(f"{self.path} changed while it was read; run again when nobody writes to it")


def file_version(path: str) -> FileVersion:
    """``path`` as it is now.

    Raises:
        InputError: it cannot be read.
    """
    try:
        now = Path(path).stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return FileVersion(path=path, size=now.st_size, modified=now.st_mtime_ns, number=now.st_ino)


def last_touched(path: str) -> float:
    """When ``path`` was last written to, replaced or moved, in seconds since 1970.

    A file that is put in the place of another may be older than that; the time of its last change of status is not.
    """
    now = Path(path).stat()
    return max(now.st_mtime, now.st_ctime)


def describe_input(file: str) -> tuple[int, str]:
    """Size in bytes and sha256 of an input file.

    Raises:
        InputError: it cannot be read.
    """
    with described(file) as description:
        return description.result()


@contextmanager
def described(file: str) -> Iterator[Future[tuple[int, str]]]:
    """As `describe_input`, in a thread beside what is done inside; it does not go on behind an error there."""
    is_left = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as hasher:
        try:
            yield hasher.submit(_describe, file, is_left)
        except BaseException:
            is_left.set()
            raise


def _describe(file: str, is_left: threading.Event) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        with Path(file).open("rb") as source:
            while not is_left.is_set() and (piece := source.read(_PIECE_BYTES)):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    return size, digest.hexdigest()


def columns_of(entry: InputEntry) -> ColumnNames:
    """The columns that were read of the input file ``entry``."""
    columns = entry.get("columns", {})
    return ColumnNames(text=columns.get("text"), id=columns.get("id"), label=columns.get("label"))


def options_of(entry: InputEntry) -> ReadOptions:
    """The options with which the input file ``entry`` was read."""
    return dataclasses.replace(ReadOptions.of_json(entry.get("options", {})), is_complete=True)
