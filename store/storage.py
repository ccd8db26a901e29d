"""Where the bytes of a store live, behind five verbs: read, list, put, put-if-absent, remove a temporary.

Names are relative to the store's root and use ``/``. Nothing else in the house touches a path of a store.
A file appears under its name whole or not at all: it is written to a temporary place first (`stage`), made
durable, and then renamed (`Staged.publish`). This module knows nothing of Arrow schemas, shards or records.
"""

import contextlib
import errno
import hashlib
import io
import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from store.errors import StoreMissingError

TEMPORARY = "tmp"
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


class Staged(io.RawIOBase):
    """A file that is being written and that no reader can see yet. Hashes what passes through.

    Attributes:
        size: bytes written so far.
        sha256: hexadecimal digest of the bytes written so far.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the bytes written so far."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """Bytes can be written."""
        return True

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def write(self, data: Any) -> int:
        """Append ``data`` and take it into the digest."""
        view = memoryview(data).cast("B")
        self._append(view)
        self._digest.update(view)
        self.size += len(view)
        return len(view)

    def _append(self, view: memoryview) -> None:
        raise NotImplementedError

    def publish(self, name: str) -> None:
        """Make the file durable and visible under ``name``, in one step. An equal file there is replaced."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove the temporary file, if it was not published. Does nothing the second time."""
        raise NotImplementedError


class Storage(ABC):
    """A place for the files of one store."""

    location: str

    @abstractmethod
    def read(self, name: str) -> pa.Buffer:
        """The whole file ``name`` (memory-mapped where the place allows).

        Raises:
            StoreMissingError: there is no such file.
        """

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """Names (not paths) of what lies directly in ``folder``, sorted; empty where there is no such folder."""

    @abstractmethod
    def stage(self) -> Staged:
        """Begin to put a file: write to what is returned, then `Staged.publish` it under a name."""

    @abstractmethod
    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Create ``name`` with ``data``, durably; False, and nothing changed, where ``name`` exists already."""

    @abstractmethod
    def arrow_files(self, names: Sequence[str]) -> tuple[pafs.FileSystem, Sequence[str]]:
        """A file system and the paths in it under which pyarrow finds ``names``."""

    def put(self, name: str, data: bytes) -> None:
        """Write ``data`` under ``name``, replacing what is there in one step."""
        staged = self.stage()
        try:
            staged.write(data)
            staged.publish(name)
        finally:
            staged.discard()


class LocalStorage(Storage):
    """A folder on a local or mounted disk."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.location = str(root)

    def read(self, name: str) -> pa.Buffer:
        """The whole file, memory-mapped."""
        try:
            with pa.memory_map(str(self.root / name)) as file:
                return file.read_buffer()
        except (FileNotFoundError, NotADirectoryError):
            raise StoreMissingError(f"{self.location}: there is no file {name}") from None

    def list(self, folder: str) -> list[str]:
        """Names directly in ``folder``, sorted."""
        try:
            return sorted(entry.name for entry in os.scandir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def stage(self) -> Staged:
        """A file under ``tmp/`` of the store, so that the rename stays on one file system."""
        self._make_folder(self.root / TEMPORARY)
        return _LocalStaged(self, self.root / TEMPORARY / f"{os.getpid()}-{uuid.uuid4().hex}")

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """A hard link to a finished temporary file: exclusive, and never half-written."""
        target = self.root / name
        if target.exists():
            return False
        self._make_folder(target.parent)
        staged = self.stage()
        assert isinstance(staged, _LocalStaged)
        try:
            staged.write(data)
            staged.make_durable()
            return self._create(staged.path, target, data)
        finally:
            staged.discard()

    def _create(self, temporary: Path, target: Path, data: bytes) -> bool:
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._create_exclusively(target, data)
        _fsync_folder(target.parent)
        return True

    def _create_exclusively(self, target: Path, data: bytes) -> bool:
        """Without hard links: exclusive creation, then the bytes."""
        try:
            descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _fsync_folder(target.parent)
        return True

    def arrow_files(self, names: Sequence[str]) -> tuple[pafs.FileSystem, Sequence[str]]:
        """The local file system, memory-mapped."""
        return pafs.LocalFileSystem(use_mmap=True), [str((self.root / name).absolute()) for name in names]

    def publish(self, temporary: Path, name: str) -> None:
        """Rename a durable temporary file to ``name`` and make the rename durable."""
        target = self.root / name
        self._make_folder(target.parent)
        os.replace(temporary, target)  # noqa: PTH105 - one system call, named as what it is
        _fsync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)


class _LocalStaged(Staged):
    def __init__(self, storage: LocalStorage, path: Path) -> None:
        super().__init__()
        self.path = path
        self._storage = storage
        self._file: io.BufferedWriter | None = path.open("xb")

    def _append(self, view: memoryview) -> None:
        assert self._file is not None, "written to after it was published"
        self._file.write(view)

    def make_durable(self) -> None:
        assert self._file is not None, "published twice"
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None

    def publish(self, name: str) -> None:
        self.make_durable()
        self._storage.publish(self.path, name)

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class MemoryStorage(Storage):
    """A store in this process's memory, for tests and small experiments. Gone when the process ends."""

    def __init__(self) -> None:
        from fsspec.implementations.memory import MemoryFileSystem

        self._fs = MemoryFileSystem()
        self._root = f"/{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self.location = f"memory:/{self._root}"

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def read(self, name: str) -> pa.Buffer:
        """The whole file."""
        try:
            return pa.py_buffer(self._fs.cat_file(self._path(name)))
        except FileNotFoundError:
            raise StoreMissingError(f"{self.location}: there is no file {name}") from None

    def list(self, folder: str) -> list[str]:
        """Names directly in ``folder``, sorted."""
        path = self._path(folder).rstrip("/")
        if not self._fs.isdir(path):
            return []
        return sorted(entry.rsplit("/", 1)[1] for entry in self._fs.ls(path, detail=False))

    def stage(self) -> Staged:
        """A buffer."""
        return _MemoryStaged(self)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Exclusive under a lock."""
        with self._lock:
            if self._fs.exists(self._path(name)):
                return False
            self._fs.pipe_file(self._path(name), data)
            return True

    def arrow_files(self, names: Sequence[str]) -> tuple[pafs.FileSystem, Sequence[str]]:
        """The memory file system, wrapped."""
        return pafs.PyFileSystem(pafs.FSSpecHandler(self._fs)), [self._path(name) for name in names]

    def publish(self, data: bytes, name: str) -> None:
        """Make ``data`` visible under ``name``."""
        with self._lock:
            self._fs.pipe_file(self._path(name), data)


class _MemoryStaged(Staged):
    def __init__(self, storage: MemoryStorage) -> None:
        super().__init__()
        self._storage = storage
        self._parts: list[bytes] = []

    def _append(self, view: memoryview) -> None:
        self._parts.append(bytes(view))

    def publish(self, name: str) -> None:
        self._storage.publish(b"".join(self._parts), name)

    def discard(self) -> None:
        self._parts.clear()


def storage_at(place: str | os.PathLike[str] | Storage) -> Storage:
    """The storage behind ``place``: a folder's path, or a `Storage` as it is.

    Raises:
        StoreMissingError: ``place`` is a URL of a kind that is not supported.
    """
    if isinstance(place, Storage):
        return place
    if "://" in str(place):
        scheme = str(place).split("://", 1)[0]
        raise StoreMissingError(f"{place}: stores at {scheme}:// are not supported; give a folder on a local disk")
    return LocalStorage(place)
