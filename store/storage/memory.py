"""A store in this process's memory: for tests and small experiments. Gone when the process ends."""

import contextlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow as pa

from store.errors import StoreMissingError
from store.storage.base import Staged, Storage


class MemoryStorage(Storage):
    """A dict of names and bytes, which no other `MemoryStorage` shares."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._keepers: Counter[str] = Counter()
        self._let_go = threading.Condition(self._lock)
        self.location = f"memory://{uuid.uuid4().hex}"

    def open(self, name: str) -> pa.NativeFile:
        """The bytes themselves, not copied."""
        try:
            return pa.BufferReader(self._files[name])
        except KeyError:
            raise StoreMissingError(f"{self.location}: there is no file {name}") from None

    def list(self, folder: str) -> list[str]:
        """Names directly in ``folder``, sorted."""
        before = f"{folder}/" if folder else ""
        names = [*self._files]  # at once: other threads may be writing
        return sorted({name[len(before) :].split("/", 1)[0] for name in names if name.startswith(before)})

    def stage(self) -> Staged:
        """A buffer."""
        return _MemoryStaged(self)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Exclusive under a lock."""
        with self._lock:
            held = self._files.get(name)
            if held is not None and (len(held) >= len(data) or not data.startswith(held)):
                return False
            self._files[name] = bytes(data)
            return True

    def remove_dead(self, name: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Nobody who lives holds a file here: what is not published is only a buffer."""
        with self._lock:
            if name not in self._files or unless():
                return False
            del self._files[name]
            return True

    @contextlib.contextmanager
    def kept(self, folder: str) -> Iterator[None]:
        """Count the keepers of ``folder``."""
        with self._lock:
            self._let_go.wait_for(lambda: self._keepers[folder] >= 0)
            self._keepers[folder] += 1
        try:
            yield
        finally:
            with self._lock:
                self._keepers[folder] -= 1

    @contextlib.contextmanager
    def alone(self, folder: str) -> Iterator[bool]:
        """Let nobody keep ``folder``."""
        with self._lock:
            is_alone = self._keepers[folder] == 0 and any(name.startswith(f"{folder}/") for name in self._files)
            if is_alone:
                self._keepers[folder] = -1
        try:
            yield is_alone
        finally:
            if is_alone:
                with self._lock:
                    self._keepers[folder] = 0
                    self._let_go.notify_all()

    def remove_folder(self, folder: str) -> None:
        """Other files take the place of all that there were."""
        with self._lock:
            self._files = {name: data for name, data in self._files.items() if not name.startswith(f"{folder}/")}

    def publish(self, data: bytes, name: str) -> None:
        """Make ``data`` visible under ``name``."""
        with self._lock:
            self._files[name] = data


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
