"""A third storage, as an object store is: ranges, whole puts and conditional puts. No rename, links, locks or folders."""

import io
import itertools
import threading
from collections.abc import Callable

import pyarrow as pa

from store.errors import StoreMissingError
from store.storage import Staged, Storage


class Bucket:
    """Objects and their versions.

    Attributes:
        fetched: bytes that were read, by key.
    """

    def __init__(self) -> None:
        self._objects: dict[str, tuple[int, bytes]] = {}
        self._versions = itertools.count(1)
        self._lock = threading.Lock()
        self.fetched: dict[str, int] = {}

    def head(self, key: str) -> tuple[int, int]:
        """Version and size; KeyError if there is none."""
        version, data = self._objects[key]
        return version, len(data)

    def get(self, key: str, start: int, stop: int) -> bytes:
        part = self._objects[key][1][start:stop]
        with self._lock:
            self.fetched[key] = self.fetched.get(key, 0) + len(part)
        return part

    def put(self, key: str, data: bytes, *, if_version: int | None = None) -> bool:
        """Put ``data``; False if ``if_version`` (0: none at all) is not the version that is there."""
        with self._lock:
            if if_version is not None and self._objects.get(key, (0, b""))[0] != if_version:
                return False
            self._objects[key] = next(self._versions), data
            return True

    def delete(self, key: str) -> None:
        del self._objects[key]

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in [*self._objects] if key.startswith(prefix))


class RangeFile(io.RawIOBase):
    """An object as a file: each read fetches a range."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._size = bucket.head(key)[1]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._size, self._at + size)
        part = self._bucket.get(self._key, self._at, stop)
        self._at += len(part)
        return part


class RangeStorage(Storage):
    """A store in a `Bucket`."""

    def __init__(self, bucket: Bucket | None = None) -> None:
        self.bucket = bucket or Bucket()
        self.location = "objects://bucket"

    def open(self, name: str) -> pa.NativeFile:
        try:
            return pa.PythonFile(RangeFile(self.bucket, name), mode="r")
        except KeyError:
            raise StoreMissingError(f"{self.location}: there is no file {name}") from None

    def list(self, folder: str) -> list[str]:
        before = f"{folder}/" if folder else ""
        return sorted({key[len(before) :].split("/", 1)[0] for key in self.bucket.keys(before)})

    def stage(self) -> Staged:
        return Upload(self.bucket)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        while not self.bucket.put(name, data, if_version=0):
            version, size = self.bucket.head(name)
            held = self.bucket.get(name, 0, size)
            if len(held) >= len(data) or not data.startswith(held):
                return False
            if self.bucket.put(name, data, if_version=version):
                return True
        return True

    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        if name not in self.bucket.keys(name) or unless():
            return False
        self.bucket.delete(name)
        return True


class Upload(Staged):
    """Parts of an object that nobody sees before the last one."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self._bucket = bucket
        self._parts: list[bytes] = []

    def _append(self, view: memoryview) -> None:
        self._parts.append(bytes(view))

    def publish(self, name: str) -> None:
        self._bucket.put(name, b"".join(self._parts))

    def discard(self) -> None:
        self._parts.clear()
