"""A storage in which one call goes wrong: for a store must be right whatever fails, whenever, and whoever is killed."""

import enum
import errno
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NoReturn, TypeVar

import pyarrow as pa

from store.storage import Staged, Storage

Result = TypeVar("Result")


class Fault(enum.Enum):
    """What goes wrong in one call."""

    FAIL = "fail"
    """Nothing is done, and the caller is told."""
    CUT = "cut"
    """Half is done: half of the bytes are written, which the caller is told, or half of the answer comes back, which
    it is not. What has no half, such as a rename, fails."""
    LATE = "late"
    """All is done, and the caller is told that it failed."""
    KILL = "kill"
    """The process is gone: nothing is done, in this call and in every later one."""


class Killed(BaseException):
    """The process is gone."""


def stay_dead() -> NoReturn:
    """Die as a test can stand it: by an exception that no handler may hold up."""
    raise Killed


class FaultyStorage(Storage):
    """Another storage, of which every call is counted, and some go wrong.

    Args:
        inner: where the files really are.
        faults: number of a call, from 0 → what goes wrong in it.
        before: told of the number of each call before it is made: here another writer may come in between. Not of calls
            from inside another one, which the storage may have locked.
        die: ends the process that is killed.

    Attributes:
        calls: the verb and the name of each call.
        struck: those that went wrong, and how.
    """

    def __init__(
        self,
        inner: Storage,
        faults: Mapping[int, Fault] | None = None,
        *,
        before: Callable[[int], object] = lambda _: None,
        die: Callable[[], NoReturn] = stay_dead,
    ) -> None:
        self.inner = inner
        self.location = inner.location
        self.calls: list[str] = []
        self.struck: list[tuple[str, Fault]] = []
        self._faults = dict(faults or {})
        self._before = before
        self._die = die
        self._dead = False
        self._inside = False

    def call(self, verb: str, whole: Callable[[], Result], half: Callable[[], Result] | None = None) -> Result:
        """Do ``whole``, or what the fault of this call leaves of it.

        Args:
            verb: what is done to what.
            whole: all of it.
            half: a part of it, where there is one.
        """
        self.must_live()
        number = len(self.calls)
        self.calls.append(verb)
        if not self._inside:
            self._before(number)
        fault = self._faults.get(number)
        if fault is None:
            return whole()
        self.struck.append((verb, fault))
        if fault is Fault.KILL:
            self._dead = True
            self._die()
        if fault is Fault.CUT and half is not None:
            return half()
        if fault is Fault.LATE:
            whole()
        raise _failed(verb)

    def kept(self, folder: str) -> AbstractContextManager[None]:
        self.must_live()
        return self.inner.kept(folder)

    def alone(self, folder: str) -> AbstractContextManager[bool]:
        self.must_live()
        return self.inner.alone(folder)

    def remove_folder(self, folder: str) -> None:
        self.call(f"remove_folder {folder}", lambda: self.inner.remove_folder(folder))

    def must_live(self) -> None:
        """End here if the process was killed: nothing is cleaned up, and no lock is let go of."""
        if self._dead:
            self._die()

    def read(self, name: str) -> pa.Buffer:
        def half() -> pa.Buffer:
            buffer = self.inner.read(name)
            return buffer.slice(0, buffer.size // 2)

        return self.call(f"read {name}", lambda: self.inner.read(name), half)

    def open(self, name: str) -> pa.NativeFile:
        def half() -> pa.NativeFile:
            buffer = self.inner.read(name)
            return pa.BufferReader(buffer.slice(0, buffer.size // 2))

        return self.call(f"open {name}", lambda: self.inner.open(name), half)

    def list(self, folder: str) -> list[str]:
        def half() -> list[str]:
            names = self.inner.list(folder)
            return names[: len(names) // 2]

        return self.call(f"list {folder}", lambda: self.inner.list(folder), half)

    def stage(self) -> Staged:
        return FaultyStaged(self, self.call("stage", self.inner.stage))

    def put_if_absent(self, name: str, data: bytes) -> bool:
        def half() -> NoReturn:
            """What a disk without hard links shows of a creation that was broken off."""
            self.inner.put_if_absent(name, data[: len(data) // 2])
            raise _failed(f"put_if_absent {name}")

        return self.call(f"put_if_absent {name}", lambda: self.inner.put_if_absent(name, data), half)

    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        def whole() -> bool:
            self._inside = True
            try:
                return self.inner.remove_dead(name, unless=unless)
            finally:
                self._inside = False

        return self.call(f"remove_dead {name}", whole)


class FaultyStaged(Staged):
    """A file that is being written to a `FaultyStorage`."""

    def __init__(self, storage: FaultyStorage, inner: Staged) -> None:
        super().__init__()
        self._storage = storage
        self._inner = inner

    def _append(self, view: memoryview) -> None:
        def half() -> NoReturn:
            self._inner.write(view[: len(view) // 2])
            raise _failed("write")

        self._storage.call("write", lambda: self._inner.write(view), half)

    def publish(self, name: str) -> None:
        self._storage.call(f"publish {name}", lambda: self._inner.publish(name))

    def discard(self) -> None:
        self._storage.must_live()
        self._inner.discard()


def _failed(verb: str) -> OSError:
    return OSError(errno.EIO, f"{verb} was made to fail")


def snapshot(storage: Storage, folder: str = "") -> dict[str, bytes]:
    """Every file that a store promises to be the same, whoever made it: all but ``runs/`` and ``tmp/``."""
    return {name: storage.read(name).to_pybytes() for name in files_in(storage, folder)}


def files_in(storage: Storage, folder: str = "") -> list[str]:
    """Names of the files that `snapshot` reads."""
    found = []
    for name in storage.list(folder):
        path = f"{folder}/{name}".lstrip("/")
        if path in ("runs", "tmp"):
            continue
        # In a store, a name with a dot at the top or in a family is a file; encodings may have dots as well.
        found += [path] if name.endswith((".json", ".arrow", ".bits")) else files_in(storage, path)
    return found


def clear(storage: Storage) -> None:
    """Remove every file that nobody writes."""
    for name in [
        *files_in(storage),
        *(f"{folder}/{name}" for folder in ("runs", "tmp") for name in storage.list(folder)),
    ]:
        storage.remove_dead(name)
