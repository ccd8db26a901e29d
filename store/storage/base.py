"""The operations of every storage: open, list, stage, put-if-absent, remove a dead writer's file.

Names are relative to the store's root and use ``/``. No other module touches a path of a store.
A file appears under its name whole or not at all: it is staged first (`Storage.stage`), made durable, and then made
visible (`Staged.publish`). This module knows nothing of Arrow schemas, shards or records.
"""

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import pyarrow as pa

from store.errors import StoreError

Item = TypeVar("Item")
Result = TypeVar("Result")
TEMPORARY = "tmp"
_REMOVED = "removed-"
_PIECE = 8 << 20  # bytes


def removed_name(folder: str, unique: str) -> str:
    """Where a folder that is removed lies until its files are gone; ``unique`` is 32 hexadecimal digits."""
    return f"{TEMPORARY}/{_REMOVED}{unique}-{folder.replace('/', '.', 1)}"


def removed_folder(name: str) -> str | None:
    """The folder that was removed and whose rest is called ``name``; None if it is none. Inverse of `removed_name`."""
    unique, _, folder = name.removeprefix(f"{TEMPORARY}/{_REMOVED}").partition("-")
    return folder.replace(".", "/", 1) if name == removed_name(folder.replace(".", "/", 1), unique) else None


class Staged(io.RawIOBase):
    """A file that is being written and that no reader can see yet. Hashes what passes through.

    Until `discard`, which every writer calls last, it is its writer's: `Storage.remove_dead` leaves it alone.

    Attributes:
        size: bytes written so far.
        name: under which `Storage.has_writer` knows it until it is published; None if it has none.
    """

    name: str | None = None

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
        """Make the file durable and visible under ``name``, in one step. What is there is replaced."""
        raise NotImplementedError

    def discard(self) -> None:
        """Let go of the file, and remove it if it was not published. Does nothing the second time."""
        raise NotImplementedError


class Storage(ABC):
    """The files of one store.

    A storage defines `open`, `list`, `stage`, `put_if_absent` and `remove_dead`; the rest follows from them.

    Attributes:
        location: where the store is, as the user said it; for messages.
    """

    location: str

    @property
    def address(self) -> str | None:
        """What `store.storage.open_storage` finds the same files by in another process; None if only this one can."""
        return None

    @abstractmethod
    def open(self, name: str) -> pa.NativeFile:
        """The file ``name`` for reads at any place; it is not copied if the storage can map it into memory.

        A storage that can read ranges wraps them: Arrow reads the end of a shard, then the columns it needs.

        Raises:
            StoreMissingError: there is no such file.
        """

    def read(self, name: str) -> pa.Buffer:
        """The whole file ``name``.

        Raises:
            StoreMissingError: there is no such file.
        """
        with self.open(name) as file:
            return file.read_buffer()

    def pieces(self, name: str) -> Iterator[memoryview]:
        """The bytes of the file ``name`` as they lie there now, piece by piece, with few of them in memory.

        Raises:
            StoreMissingError: there is no such file.
        """
        with self.open(name) as file:
            while piece := file.read_buffer(_PIECE):
                yield memoryview(piece)

    def map(self, read: Callable[[Item], Result], items: Iterable[Item]) -> Sequence[Result]:
        """What ``read``, which reads small files of this storage, gives for each of ``items``, in their order.

        A storage that is far away has several read at once.
        """
        return [read(item) for item in items]

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """Names (not paths) of what lies directly in ``folder``, sorted; empty if there is no such folder."""

    @abstractmethod
    def stage(self) -> Staged:
        """Begin to put a file: write to what is returned, then `Staged.publish` it under a name."""

    @abstractmethod
    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Create ``name`` with ``data``, durably; False, and nothing changed, where ``name`` exists already.

        Where a writer was killed inside a creation that is not atomic, and what it left is a beginning of ``data``,
        the rest is added.
        """

    @abstractmethod
    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Remove ``name`` if its writer is provably dead; False if it may live, or there is no such file.

        Args:
            name: the file.
            unless: asked when the writer is known to be gone; the file stays where it says True.
        """

    def has_writer(self, name: str) -> bool | None:  # noqa: ARG002 - a storage without locks cannot tell
        """Whether who staged the file ``name`` lives and has not let go of it; None if that cannot be known."""
        return None

    def kept(self, folder: str) -> AbstractContextManager[None]:  # noqa: ARG002 - nothing to do, as nothing is removed
        """Keep others from being `alone` in ``folder``, into which one writes, until the block ends.

        Several writers may keep a folder at once. It need not exist.
        """
        return nullcontext()

    def alone(self, folder: str) -> AbstractContextManager[bool]:
        """Be the only one who writes into ``folder``; False if others keep it (`kept`), or if there is no such folder.

        Raises:
            StoreError: this storage cannot tell, so that nothing of it can be removed.
        """
        raise StoreError(f"{self.location}: {folder} cannot be removed from a storage of this kind")

    def remove_folder(self, folder: str) -> None:
        """Take ``folder`` away, with all that is in it: for readers in one step, and for good.

        Only for who is `alone` with it. What readers have opened stays readable. Whoever is killed in the middle has
        removed all or nothing; `sweep` gives back the rest of the space.
        """
        raise StoreError(f"{self.location}: {folder} cannot be removed from a storage of this kind")

    def put(self, name: str, data: bytes) -> None:
        """Write ``data`` under ``name``, replacing what is there in one step."""
        staged = self.stage()
        try:
            staged.write(data)
            staged.publish(name)
        finally:
            staged.discard()

    def sweep(self) -> Sequence[str]:
        """Remove the temporary files of dead writers, and what is left of removed folders; their names."""
        return [name for name in self.list(TEMPORARY) if self.remove_dead(f"{TEMPORARY}/{name}")]
