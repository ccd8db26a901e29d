"""Requests to a place in a bucket: files by name, and creations of which one succeeds. Knows no shards and no cache.

Requests that fail for a reason that passes are made again: by the client itself, and here where nobody knows what
became of one that writes. Errors are those of a store, with what to do about them.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any

import obstore
import pyarrow as pa

from store.errors import StoreError, StoreMissingError
from store.storage.base import TEMPORARY, Result
from store.storage.objects.failures import PassingError, RefusedError, UnreachableError, explained
from store.storage.objects.interruptible import interruptible
from store.storage.objects.place import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_WRITER = "writer"
"""Key of the metadata of a created object: who created it, to know one's own after an answer was lost."""
_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 5.0  # seconds
_PATIENCE = 240.0  # seconds, on top of those that the client itself takes for one request
_PIECE = 8 << 20  # bytes
_MOST_PARTS = 9_000  # of one upload; S3 allows 10,000
_UPLOADS = 4  # parts at once
_log = logging.getLogger("store.storage")
_PROBED: set[tuple[str, ...]] = set()
_PROBING = threading.Lock()


class Bucket:
    """A place in a bucket.

    Args:
        place: where.
        client: reaches the bucket; made from the environment at the first request if None.
    """

    def __init__(self, place: Place, client: "ObjectStore | None" = None) -> None:
        self._place = place
        self._made, self._process = client, os.getpid()
        self._lock = threading.Lock()

    @property
    def _client(self) -> "ObjectStore":
        """The client. The first time, the place is listed, so that what is wrong with it is told at once."""
        if self._process != os.getpid():
            raise StoreError(
                f"{self._place.url} was opened before this process was forked, which its client does not survive; open "
                "it here, or start processes by spawn"
            )
        with self._lock:
            if self._made is None:
                with self._explained():
                    greeting, patient = (self._place.client(is_patient=is_patient) for is_patient in (False, True))
                    self._greet(greeting)
                self._made = patient
            return self._made

    def _greet(self, client: "ObjectStore") -> None:
        """List the place. A server that is busy is not away.

        Raises:
            StoreError: it cannot be reached, or will not answer this user.
        """
        try:
            with self._explained():
                interruptible(lambda: obstore.list_with_delimiter(client, self._place.prefix or None))
        except UnreachableError as error:
            raise StoreError(str(error)) from error.__cause__
        except PassingError:
            _log.info("%s: its server is busy", self._place.url)

    def _explained(self, missing: str | None = None) -> AbstractContextManager[None]:
        return explained(self._place.url, self._place.scheme, missing=missing)

    def _repeated(self, request: Callable[[], Result], *, missing: str | None = None) -> Result:
        """What ``request`` gives; it is made again as long as it fails for a reason that may pass."""
        for wait in _waits():
            try:
                with self._explained(missing):
                    return interruptible(request)
            except (PassingError, RefusedError):
                if wait is None:
                    raise
                time.sleep(wait)
        raise AssertionError("the last wait is None")

    def read(self, name: str) -> pa.Buffer:
        """The object, from the server."""
        key = self._place.key(name)
        return self._repeated(lambda: pa.py_buffer(obstore.get(self._client, key).bytes()), missing=name)

    def pieces(self, name: str) -> Iterator[memoryview]:
        """The object, from the server, with few pieces in memory. Where one is lost, the client asks for the rest."""
        key = self._place.key(name)
        found = self._repeated(lambda: obstore.get(self._client, key), missing=name)
        with self._explained(name):
            pieces = iter(found.stream(min_chunk_size=_PIECE))
            while (piece := interruptible(lambda: next(pieces, None))) is not None:
                yield memoryview(piece)

    def list(self, folder: str) -> list[str]:
        """Names directly in ``folder``, sorted; the server is asked page after page."""
        key = self._place.key(folder)
        found = self._repeated(lambda: obstore.list_with_delimiter(self._client, key or None))
        paths = [*found["common_prefixes"], *(one["path"] for one in found["objects"])]
        before = f"{key}/" if key else ""
        return sorted({path.removeprefix(before).strip("/") for path in paths if path.startswith(before)} - {""})

    def size(self, name: str) -> int | None:
        """Bytes of the object; None if there is none."""
        key = self._place.key(name)
        try:
            return self._repeated(lambda: int(obstore.head(self._client, key)["size"]), missing=name)
        except StoreMissingError:
            return None

    def sizes(self) -> dict[str, int]:
        """Names of all objects below the place, in any folder, and their bytes."""
        before = f"{self._place.prefix}/" if self._place.prefix else ""

        def listed() -> dict[str, int]:
            pages = obstore.list(self._client, self._place.prefix or None)
            return {meta["path"]: meta["size"] for page in pages for meta in page}

        found = self._repeated(listed)
        return {path.removeprefix(before): size for path, size in found.items() if path.startswith(before)}

    def put(self, name: str, data: Callable[[], Any], *, size: int) -> None:
        """Put what ``data`` gives; again if nobody knows what became of it, as equal bytes take each other's place."""
        self.check_creates_once()
        self.replace(name, data, size=size)

    def replace(self, name: str, data: Callable[[], Any], *, size: int, kind: str | None = None) -> None:
        """As `put`, where no creations matter: for files that are none of a store.

        Args:
            name: of the object.
            data: gives a path, a file or bytes; asked at each try.
            size: of these, in bytes.
            kind: MIME type that the server says to who asks for the object.
        """
        key, part = self._place.key(name), max(_PIECE, -(-size // _MOST_PARTS))
        about = {} if kind is None else {"Content-Type": kind}
        self._repeated(
            lambda: obstore.put(
                self._client, key, data(), chunk_size=part, max_concurrency=_UPLOADS, attributes=about or None
            )
        )

    def create(self, name: str, data: bytes) -> bool:
        """Create ``name`` with ``data``; False if it is there already, and not from this call."""
        self.check_creates_once()
        return self._create(name, data)

    def _create(self, name: str, data: bytes) -> bool:
        """Create ``name``, and look at it unless the answer says that this was done.

        A creation is answered by an error also where the answer to an earlier try of the same request was lost, and
        where nothing was created because another request raced with it.

        Raises:
            StoreError: nobody knows what became of it, after several tries.
        """
        key, writer = self._place.key(name), uuid.uuid4().hex
        for wait in _waits():
            try:
                with self._explained():
                    interruptible(lambda: self._put_new(key, data, writer))
                    return True
            except RefusedError:
                failure: StoreError = StoreError(
                    f"{self._place.url}/{name}: each creation is refused, and nothing is there"
                )
            except PassingError as error:
                failure = error
            if (is_ours := self._is_ours(name, data, writer)) is not None:
                return is_ours
            if wait is None:
                raise failure
            time.sleep(wait)
        raise AssertionError("the last wait is None")

    def _put_new(self, key: str, data: bytes, writer: str) -> None:
        obstore.put(self._client, key, data, mode="create", attributes={_WRITER: writer})

    def _is_ours(self, name: str, data: bytes, writer: str) -> bool | None:
        """Whether the object ``name`` was created by ``writer``; None if there is none.

        A server that keeps no metadata does not say: equal bytes are ours then.
        """

        def look() -> bool:
            found = obstore.get(self._client, self._place.key(name))
            by = found.attributes.get(_WRITER)
            return by == writer if by is not None else bytes(found.bytes()) == data

        try:
            return self._repeated(look, missing=name)
        except StoreMissingError:
            return None

    def check_creates_once(self) -> None:
        """Refuse a server that creates an object twice. Asked once in a process of each bucket, before it is written.

        Raises:
            StoreError: it does: of two writers of one shard, both would take themselves for the first.
        """
        with _PROBING:
            if self._place.server in _PROBED:
                return
            name = f"{TEMPORARY}/probe-{uuid.uuid4().hex}"
            try:
                first, second = self._create(name, b"first"), self._create(name, b"second")
            finally:
                with suppress(StoreError), self._explained():  # who may not delete leaves a few bytes
                    interruptible(lambda: obstore.delete(self._client, self._place.key(name)))
            if second or not first:
                raise StoreError(
                    f"{self._place.url}: its server ignores that an object is to be created only if it does not exist "
                    "(If-None-Match: *), so that two writers would overwrite each other's work; label on a local disk, "
                    "and copy the store there when nobody writes it"
                )
            _PROBED.add(self._place.server)


def _waits() -> Iterator[float | None]:
    """How long to wait after each try, in seconds; None after the last one."""
    ends = time.monotonic() + _PATIENCE
    for number in range(_TRIES - 1):
        if time.monotonic() > ends:
            break
        yield min(_LONGEST_WAIT, _FIRST_WAIT * 3**number)
    yield None
