"""A file or a folder of a file system that fsspec knows: put under another name, and then given its own."""

import contextlib
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EngineError, InputError, OutputPlaceError
from engine.inputs.remote.sources import explained_as, shown
from engine.outputs.remote import WAYS, Remote
from store.storage.urls import without_credentials

_PIECE = 8 << 20  # bytes
_log = logging.getLogger("engine.outputs")


class FilePlace(Remote):
    """A path of a file system.

    Args:
        url: of any scheme.
        scheme: of it.

    Raises:
        OutputPlaceError: fsspec does not know the scheme, or the URL names no path.
        InputError: a package is missing that the scheme needs, or its server refuses.
    """

    def __init__(self, url: str, scheme: str) -> None:
        import fsspec

        self._url, self.name = url, shown(url).rstrip("/")
        if scheme not in fsspec.available_protocols():
            raise OutputPlaceError(f"{self.name}: nobody knows the scheme {scheme}://; {WAYS}")
        try:
            with explained_as(url, "written"):
                self._system, path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise InputError(f"{self.name}: {error}; install that package beside engine") from None
        self._path = path.rstrip("/")
        if not self._path.strip("/"):
            raise OutputPlaceError(f"{self.name} names no file and no folder; name a place in it")
        if scheme == "memory":
            _log.warning("%s is in the memory of this process, and gone when it ends", self.name)

    def is_folder(self) -> bool:
        """Whether a folder is there."""
        with self._explained("written"):
            return bool(self._system.isdir(self._path))

    def sizes(self) -> dict[str, int]:
        """All files below it."""
        with self._explained("read"):
            self._system.invalidate_cache()
            found = self._system.find(self._path, detail=True) if self._system.isdir(self._path) else {}
        return {path.removeprefix(f"{self._path}/"): int(info["size"]) for path, info in found.items()}

    def size(self, name: str = "") -> int | None:
        """What the file system says."""
        with self._explained("read"):
            return self._size(self._at(name))

    def _size(self, path: str) -> int | None:
        self._system.invalidate_cache()
        try:
            info = self._system.info(path)
        except FileNotFoundError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def pieces(self, name: str = "") -> Iterator[bytes]:
        """The file."""
        with self._explained("read"), self._system.open(self._at(name), "rb") as source:
            while piece := source.read(_PIECE):
                yield piece

    def put(self, path: Path, name: str = "") -> None:
        """A file beside it, which is then renamed."""
        target = self._at(name)
        folder, _, last = target.rpartition("/")
        temporary = f"{folder}/.{last}.{uuid.uuid4().hex}.tmp"
        with self._explained("written"):
            if folder.strip("/"):
                self._system.makedirs(folder, exist_ok=True)
            try:
                self._system.put_file(str(path), temporary)
                if (there := self._size(temporary)) != (size := path.stat().st_size):
                    raise OSError(f"{size:,} bytes were sent, and {there or 0:,} are there; run the same command again")
                in_the_way = not self._renames(temporary, target)
            except BaseException:
                with contextlib.suppress(Exception):  # it cannot be reached, perhaps
                    self._system.rm_file(temporary)
                raise
            if in_the_way:
                self._replace(temporary, target)

    def _renames(self, source: str, target: str) -> bool:
        """Give ``source`` the name ``target``; false if the system does so only where nothing has it."""
        try:
            self._system.mv(source, target)
        except Exception:  # of any package
            if self._size(target) is None or self._size(source) is None:
                raise
            return False
        return True

    def _replace(self, source: str, target: str) -> None:
        """Remove ``target``, and give ``source`` its name: from then on ``source`` is all there is."""
        self._system.rm_file(target)
        try:
            self._system.mv(source, target)
        except Exception as error:  # noqa: BLE001 - of any package
            raise InputError(
                f"{self.name}: the old file is removed, and the new one is whole, but is still called {source}: "
                f"rename it ({without_credentials(str(error)) or type(error).__name__})"
            ) from None

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Errors of any package that is behind a scheme, as ours."""
        try:
            with explained_as(self._url, what):
                yield
        except EngineError:
            raise
        except NotImplementedError:
            raise OutputPlaceError(f"{self.name}: its file system cannot be written; {WAYS}") from None
        except Exception as error:  # noqa: BLE001 - of any package, whose own words may have a password
            reason = without_credentials(str(error)) or type(error).__name__
            raise InputError(f"{self.name} cannot be {what}: {reason}") from None
