"""Files that were fetched before → the same bytes again without a request. Only of files that are named by their hash.

A file is called by the first 16 digits of its sha256, and lies in a folder of the user, which all stores and processes
share. It is hashed when it is fetched, and again when a process first opens it: one that is damaged is fetched anew.
The files that nobody read for longest go where all of them have more than a number of bytes. Whatever goes wrong here,
such as a full disk, costs speed alone: then files are held in memory.
"""

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from store.errors import StoreError
from store.storage.file_lock import lock
from store.storage.user_folder import FOLDER, user_folder

GIGABYTES = "ENGINE_CACHE_GB"
"""Variable of the environment: how many gigabytes the files may have; 0 keeps none."""
DEFAULT_GIGABYTES = 10.0
_GIGABYTE = 10**9
_LOOK_EVERY = 20  # times its limit is a cache filled by this process before it looks how full it is
_FULL_SHARE = 0.9  # of the limit is left after files went
_TOUCH_SECONDS = 60.0
_PATIENCE = 600.0  # seconds for another process that fetches a file of the same folder
_LEFT_BEHIND = 86_400.0  # seconds: who wrote for so long is dead
_LOCK = ".lock"
_HEX = "[0-9a-f]"
_KEPT = re.compile(_HEX + "{16}")
_UNFINISHED = re.compile(rf"\.{_HEX}{{16}}\.{_HEX}{{32}}")
_log = logging.getLogger("store.storage")

Fetch = Callable[[], Iterable[memoryview]]
"""Asks for the bytes of a file, piece by piece. Raises StoreError."""


class OtherBytesError(StoreError):
    """What was fetched has another hash than the one that was asked for."""


class ReadCache:
    """Fetched files in a folder.

    Args:
        folder: made when it is needed; readable by its user alone. One that others own or may write to is not used.
        limit: bytes that all files may have, about; 0 for none.
    """

    def __init__(self, folder: Path, *, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._is_usable = limit > 0
        self._is_owned = False
        self._known: dict[str, tuple[int, int, int]] = {}
        self._touched: dict[str, float] = {}
        self._added: int | None = None
        self._lock = threading.Lock()

    def read(self, digits: str, fetch: Fetch) -> pa.Buffer:
        """The file whose sha256 begins with ``digits``, 16 of them; mapped into memory if it is kept.

        Raises:
            OtherBytesError: what is fetched has another one.
            StoreError: as ``fetch``.
        """
        if self._is_usable:
            path = self._folder / digits[:2] / digits
            try:
                self._own()
                return self._held(path) or self._fetched(path, fetch)
            except OSError as error:
                self._is_usable = False
                _log.warning(
                    "%s cannot be used (%s): files of the store are fetched each time; %s names another folder",
                    self._folder,
                    error.strerror or error,
                    FOLDER,
                )
        data = b"".join(fetch())
        _check(digits, hashlib.sha256(data).hexdigest())
        return pa.py_buffer(data)

    def _own(self) -> None:
        """Make the folder, and see, once, that nobody but its user could have put anything there, or read it.

        Raises:
            OSError: it cannot be made, or is another user's or open to others.
        """
        if self._is_owned:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = self._folder.stat()
        if state.st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "it is another user's")
        if state.st_mode & 0o022:
            raise PermissionError(errno.EPERM, "others may write there; chmod 700 it")
        self._is_owned = True

    def _held(self, path: Path) -> pa.Buffer | None:
        """The file at ``path``; None if it is not there, or damaged, and then it goes."""
        try:
            with path.open("rb") as file:
                state = os.fstat(file.fileno())
                identity = (state.st_ino, state.st_size, state.st_mtime_ns)
                if self._known.get(path.name) != identity:
                    if not hashlib.file_digest(file, "sha256").hexdigest().startswith(path.name):
                        _log.info("%s was damaged, and is fetched again", path)
                        path.unlink()
                        return None
                    self._known[path.name] = identity
            with pa.memory_map(str(path)) as mapped:
                buffer = mapped.read_buffer()
        except FileNotFoundError:  # or another process has just removed it
            return None
        self._touch(path, state.st_mtime_ns)
        return buffer

    def _touch(self, path: Path, modified: int) -> None:
        """Note in the file itself that it is read, now and then."""
        now = time.monotonic()
        if now - self._touched.get(path.name, -_TOUCH_SECONDS) >= _TOUCH_SECONDS:
            self._touched[path.name] = now
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, ns=(time.time_ns(), modified))

    def _fetched(self, path: Path, fetch: Fetch) -> pa.Buffer:
        """Fetch the file, unless another one does so just now, and keep it."""
        path.parent.mkdir(exist_ok=True)
        with _alone_in(path.parent):
            if (held := self._held(path)) is not None:
                return held
            temporary, digest = path.with_name(f".{path.name}.{uuid.uuid4().hex}"), hashlib.sha256()
            try:
                with temporary.open("xb") as file:
                    for piece in fetch():
                        file.write(piece)
                        digest.update(piece)
                    size = file.tell()
                    state = os.fstat(file.fileno())
                _check(path.name, digest.hexdigest())
                with pa.memory_map(str(temporary)) as mapped:
                    buffer = mapped.read_buffer()
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            self._known[path.name] = (state.st_ino, size, path.stat().st_mtime_ns)
        self._make_room(size)
        return buffer

    def _make_room(self, size: int) -> None:
        """Remove the files that were not read for longest, if all have too many bytes. Looks now and then."""
        with self._lock:
            if self._added is not None and (self._added + size) * _LOOK_EVERY < self._limit:
                self._added += size
                return
            self._added = 0
            files = sorted(self._files())
            total = sum(size for _, size, _ in files)
            allowed = min(self._limit, total + shutil.disk_usage(self._folder).free // 2)
            if total <= allowed:
                return
            for _, size, path in files:
                if total <= allowed * _FULL_SHARE:
                    break
                path.unlink(missing_ok=True)
                total -= size

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """When each file was read, in nanoseconds, its size and its path. What killed writers left goes.

        The folder may have other files of its user: they are none of ours.
        """
        for path in self._folder.glob(f"{_HEX * 2}/*"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                if _KEPT.fullmatch(path.name):
                    yield state.st_atime_ns, state.st_size, path
                elif _UNFINISHED.fullmatch(path.name) and time.time() - state.st_mtime > _LEFT_BEHIND:
                    path.unlink()


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for whoever fetches a file of ``folder``; on a disk without locks two may fetch the same file."""
    with (folder / _LOCK).open("ab") as file:
        lock(file, seconds=_PATIENCE)
        yield


def _check(digits: str, sha256: str) -> None:
    if not sha256.startswith(digits):
        raise OtherBytesError(f"its bytes have the sha256 {sha256[:16]}, and its name says {digits}")


def cache_of_user() -> ReadCache:
    """The cache that the environment names, else one in the user's own cache folder.

    Raises:
        StoreError: its size is no number.
    """
    said = os.environ.get(GIGABYTES) or str(DEFAULT_GIGABYTES)
    try:
        limit = float(said)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < 10**6:
        raise StoreError(f"{GIGABYTES} is {said!r}; it is a number of gigabytes, and 0 keeps no files")
    return ReadCache(user_folder(), limit=int(limit * _GIGABYTE))
