"""A store in a folder of a local or mounted disk.

A file that is created once (`LocalStorage.put_if_absent`) appears as a hard link to a finished temporary file; on a
disk without hard links it is written in place under a lock, and who comes after a writer that was killed there adds
the rest. Every writer holds a lock on its temporary file, also after the rename, until it lets go: a file of this
machine whose lock is free has no living writer.
"""

import contextlib
import errno
import io
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa

from store.errors import StoreError, StoreFullError, StoreMissingError
from store.storage import atomic_file
from store.storage.base import TEMPORARY, Staged, Storage, removed_folder, removed_name
from store.storage.file_lock import THIS_MACHINE, create_locked_file, is_locked, lock, locked_if_present
from store.storage.folders import alone_in, delete_folder, kept_folder, names_in, take_away

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PATIENCE = 30.0  # seconds: a creation in place takes milliseconds


class LocalStorage(Storage):
    """A folder on a local or mounted disk."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.location = str(root)
        self._prefix = f"{self.root}/"  # joining paths takes a tenth of the time that opening a shard takes

    @property
    def address(self) -> str:
        """The folder."""
        return str(self.root)

    def open(self, name: str) -> pa.NativeFile:
        """The file, memory-mapped as a whole."""
        try:
            with pa.memory_map(self._prefix + name) as file:
                return pa.BufferReader(file.read_buffer())
        except (FileNotFoundError, NotADirectoryError):
            raise StoreMissingError(f"{self.location}: there is no file {name}") from None

    def list(self, folder: str) -> list[str]:
        """Names directly in ``folder``, sorted."""
        return names_in(self.root / folder)

    def stage(self) -> Staged:
        """A file under ``tmp/`` of the store, so that the rename stays on one file system."""
        return self._stage()

    def _stage(self) -> "_LocalStaged":
        with self.room():
            self._make_folder(self.root / TEMPORARY)
            return _LocalStaged(self, self.root / TEMPORARY)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """A hard link to a finished temporary file: exclusive, and never half-written."""
        target = self.root / name
        if _is_complete(target, data):
            self._fsync_folder(target.parent)  # whoever made it may have been stopped before this
            return False
        staged = self._stage()
        try:
            staged.write(data)
            staged.make_durable()
            with self.room():
                self._make_folder(target.parent)
                created = self._link(staged, target, data)
                self._fsync_folder(target.parent)
        finally:
            staged.discard()
        return created

    def _link(self, staged: "_LocalStaged", target: Path, data: bytes) -> bool:
        try:
            os.link(staged.path, target)
        except FileExistsError:
            if staged.links() > 1:  # a network disk may carry a request out twice and answer the second one
                return True
            return self._create_locked(target, data)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._create_locked(target, data)
        return True

    def _create_locked(self, target: Path, data: bytes) -> bool:
        """Create ``target`` in place, or add what is missing to what a writer that was killed here left."""
        created = _create_empty(target)
        with target.open("r+b") as file:
            if not lock(file, seconds=_PATIENCE):
                if created:
                    target.unlink()
                raise StoreError(
                    f"{target}: this disk knows no hard links, and either no file locks or another process holds this "
                    "file; end that process, or use another disk"
                )
            held = file.read()
            if len(held) >= len(data) or not data.startswith(held):
                return created and not data
            file.write(data[len(held) :])
            file.flush()
            self.fsync(file.fileno())
            _check_size(file, target, len(data))
        return True

    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Remove a file whose lock is free. Temporary files of other machines stay: their locks may be unseen here."""
        path = self.root / name
        if removed_folder(name) is not None:  # nobody writes into it any more
            return not unless() and delete_folder(path)
        if name.startswith(f"{TEMPORARY}/") and not name.startswith(f"{TEMPORARY}/{THIS_MACHINE}-"):
            return False
        try:
            with path.open("r+b") as file:
                # The comparison comes last: a writer that was kept waiting by `unless` may have replaced the file.
                if not lock(file) or unless() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return False
                path.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            return False
        return True

    def has_writer(self, name: str) -> bool | None:
        """Whether the lock of a temporary file is held; None if its writer is on another machine."""
        if not name.startswith(f"{TEMPORARY}/{THIS_MACHINE}-"):
            return None
        return is_locked(self.root / name)

    def kept(self, folder: str) -> AbstractContextManager[None]:
        """Share the lock of ``folder``."""
        return kept_folder(self.root / folder, seconds=_PATIENCE)

    def alone(self, folder: str) -> AbstractContextManager[bool]:
        """Hold the lock of ``folder``."""
        return alone_in(self.root / folder)

    def remove_folder(self, folder: str) -> None:
        """Rename it into ``tmp/``, durably, and delete it there."""
        target = self.root / removed_name(folder, uuid.uuid4().hex)
        self._make_folder(target.parent)
        take_away(self.root / folder, target, sync=self._fsync_folder)

    def publish(self, temporary: Path, name: str) -> None:
        """Rename a durable temporary file to ``name`` and make the rename durable."""
        target = self.root / name
        with self.room():
            self._make_folder(target.parent)
            with locked_if_present(target):  # who removes the file that is there would remove this one
                os.replace(temporary, target)  # noqa: PTH105 - one system call, named as what it is
            self._fsync_folder(target.parent)

    def fsync(self, descriptor: int) -> None:
        """Wait until a file or folder is on the disk."""
        atomic_file.fsync(descriptor)

    def _fsync_folder(self, folder: Path) -> None:
        atomic_file.sync(folder, fsync=self.fsync)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._fsync_folder(folder.parent)

    @contextlib.contextmanager
    def room(self) -> Iterator[None]:
        """Add the remedy to the error of a full disk."""
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise StoreFullError(
                f"{self.location}: {error.strerror}. What was committed stays; make space and run the same command "
                "again"
            ) from error


class _LocalStaged(Staged):
    def __init__(self, storage: LocalStorage, folder: Path) -> None:
        super().__init__()
        self._storage = storage
        self.path, self._file = create_locked_file(folder)
        self.name = f"{TEMPORARY}/{self.path.name}"
        self._published = False

    def _append(self, view: memoryview) -> None:
        with self._storage.room():
            self._file.write(view)

    def make_durable(self) -> None:
        """Wait until every byte is on the disk."""
        with self._storage.room():
            self._file.flush()
            self._storage.fsync(self._file.fileno())
        _check_size(self._file, self.path, self.size)

    def links(self) -> int:
        """Under how many names the file is known."""
        return os.fstat(self._file.fileno()).st_nlink

    def publish(self, name: str) -> None:
        self.make_durable()
        self._storage.publish(self.path, name)
        self._published = True

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is not wanted any more
            self._file.close()
        if not self._published:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        self._published = True


def _create_empty(target: Path) -> bool:
    try:
        target.open("xb").close()
    except FileExistsError:
        return False
    return True


def _check_size(file: io.BufferedIOBase, path: Path, size: int) -> None:
    """Refuse a file that lost bytes on its way to the disk."""
    if (there := os.fstat(file.fileno()).st_size) != size:
        raise StoreError(f"{path}: {size:,} bytes were written, and the disk has {there:,} of them")


def _is_complete(target: Path, data: bytes) -> bool:
    """Whether there is a file at ``target`` that is no mere beginning of ``data``."""
    try:
        held = target.read_bytes()
    except FileNotFoundError:
        return False
    return len(held) >= len(data) or not data.startswith(held)
