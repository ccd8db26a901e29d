"""A store under a prefix of a bucket: whole objects, and creations of which one succeeds.

A data file is put under its final name at once: without a record it is litter, by the format. A record is created by a
put that is refused where its key exists. Nothing is ever renamed or removed, and there are no locks: who writes cannot
be told from who died. Data files, which are named by their hash, come from `store.storage.objects.cache` when they are
opened; `read` and `pieces` ask the server each time.
"""

import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from store.errors import DamageError, StoreError, StoreFullError
from store.storage.base import Item, Result, Staged, Storage
from store.storage.objects.bucket import Bucket
from store.storage.objects.cache import OtherBytesError, ReadCache, cache_of_user
from store.storage.objects.place import place_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_NAMED_BY_HASH = re.compile(r"-([0-9a-f]{16})\.[a-z]+")
_IN_MEMORY = 16 << 20  # bytes of a staged file, before it goes to a temporary file
_READERS = 16  # small files at once


class ObjectStorage(Storage):
    """A prefix of a bucket.

    Args:
        url: such as ``s3://bucket/reviews.store``.
        client: reaches the bucket; made from the environment if None.
        cache: of data files; that of the user if None.
    """

    def __init__(self, url: str, *, client: "ObjectStore | None" = None, cache: ReadCache | None = None) -> None:
        place = place_of(url)
        self.location = place.url
        self._has_address = client is None and cache is None
        self._bucket = Bucket(place, client)
        self._cache = cache or cache_of_user()

    @property
    def address(self) -> str | None:
        """The URL; None if another process has not what this one was given."""
        return self.location if self._has_address else None

    def __reduce__(self) -> Any:
        if not self._has_address:
            raise TypeError(f"{self.location} was opened with a client or a cache of this process")
        return ObjectStorage, (self.location,)

    def open(self, name: str) -> pa.NativeFile:
        """A data file from the cache, whole; other files as `read`.

        Raises:
            DamageError: its bytes are not those of its name.
        """
        named = _NAMED_BY_HASH.search(name)
        if named is None:
            return pa.BufferReader(self.read(name))
        try:
            return pa.BufferReader(self._cache.read(named[1], lambda: self.pieces(name)))
        except OtherBytesError as error:
            raise DamageError(
                f"{self.location}/{name} is damaged: {error}; `engine verify STORE --repair` makes it again"
            ) from None

    def read(self, name: str) -> pa.Buffer:
        """The object, from the server."""
        return self._bucket.read(name)

    def pieces(self, name: str) -> Iterator[memoryview]:
        """The object, from the server."""
        return self._bucket.pieces(name)

    def map(self, read: Callable[[Item], Result], items: Iterable[Item]) -> Sequence[Result]:
        """Several at once: each of them waits for the server, and for nothing else."""
        with ThreadPoolExecutor(_READERS) as pool:
            return tuple(pool.map(read, items))

    def list(self, folder: str) -> list[str]:
        """Names directly in ``folder``, sorted; the server is asked page after page."""
        return self._bucket.list(folder)

    def stage(self) -> Staged:
        """A local temporary file, of which nothing remains if its writer is killed."""
        return _Spooled(self._bucket)

    def put(self, name: str, data: bytes) -> None:
        """One request."""
        self._bucket.put(name, lambda: data, size=len(data))

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """One request that is refused where ``name`` exists."""
        return self._bucket.create(name, data)

    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:  # noqa: ARG002
        """Never: whether the writer lives is not known."""
        return False

    def sweep(self) -> Sequence[str]:
        """Nothing: there are no temporary files."""
        return []

    def alone(self, folder: str) -> AbstractContextManager[bool]:
        """Refused.

        Raises:
            StoreError: always.
        """
        raise StoreError(
            f"{self.location}: an object store knows no locks, so that nobody can tell whether {folder} is being "
            "written; end everything that uses the store, and delete the objects yourself"
        )


class _Spooled(Staged):
    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self._bucket = bucket
        self._file: IO[bytes] = io.BytesIO()

    def _append(self, view: memoryview) -> None:
        try:
            if isinstance(self._file, io.BytesIO) and self.size + len(view) > _IN_MEMORY:
                held, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 - until it is discarded
                self._file.write(held.getbuffer())
            self._file.write(view)
        except OSError as error:
            raise StoreFullError(
                f"{tempfile.gettempdir()}: {error.strerror}. Files are written there before they are put to the object "
                "store; make space, or name another folder by TMPDIR, and run the same command again"
            ) from error

    def publish(self, name: str) -> None:
        self._bucket.put(name, self._from_start, size=self.size)

    def _from_start(self) -> IO[bytes]:
        self._file.seek(0)
        return self._file

    def discard(self) -> None:
        self._file.close()
