"""A store in this process's memory, on fsspec: for tests and small experiments. Gone when the process ends."""

import threading
import uuid
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.fs as pafs

from store.errors import StoreMissingError
from store.storage.base import Staged, Storage


class MemoryStorage(Storage):
    """A folder of fsspec's memory file system, which no other `MemoryStorage` shares."""

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
                held = self._fs.cat_file(self._path(name))
                if len(held) >= len(data) or not data.startswith(held):
                    return False
            self._fs.pipe_file(self._path(name), data)
            return True

    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Nobody who lives holds a file here: what is not published is only a buffer."""
        with self._lock:
            if not self._fs.isfile(self._path(name)) or unless():
                return False
            self._fs.rm_file(self._path(name))
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
