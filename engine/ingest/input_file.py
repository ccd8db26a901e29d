"""The version of an input file: whether it is still the same can be asked at any time."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions
from store.format.header import InputEntry
from store.storage.file_hash import sha256_of


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
    try:
        digest = sha256_of(Path(file))
        return Path(file).stat().st_size, digest
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error


def columns_of(entry: InputEntry) -> ColumnNames:
    """The columns that were read of the input file ``entry``."""
    return ColumnNames(**entry.get("columns", {}))


def options_of(entry: InputEntry) -> ReadOptions:
    """The options with which the input file ``entry`` was read."""
    return dataclasses.replace(ReadOptions.of_json(entry.get("options", {})), is_complete=True)
