"""One file that a user asks for: looked at before anything is computed, made on this machine, and put in its place."""

import contextlib
import filecmp
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from engine.errors import OutputPlaceError
from engine.inputs.remote.mirror import name_of
from engine.outputs.places import place_of_output
from engine.outputs.remote import Remote
from engine.outputs.work import room
from store.storage.atomic_file import replaced
from store.storage.user_folder import FOLDER


class OutputFile(ABC):
    """A file that is made. In words it is its path, or its URL without credentials.

    Attributes:
        place: where it is.
        suffix: the ending of its name, with the dot.
    """

    place: Path | Remote
    suffix: str

    def __str__(self) -> str:
        return str(self.place)

    @abstractmethod
    def check(self) -> None:
        """Refuse a place where it cannot appear.

        Raises:
            OutputPlaceError: that is a folder, or its own folder is not there.
            EngineError: it is behind a URL that cannot be reached.
            StoreError: the same of a bucket.
        """

    @abstractmethod
    def exists(self) -> bool:
        """Whether something is there, which would be replaced."""

    @abstractmethod
    def holds(self, path: Path) -> bool:
        """Whether it is there with the bytes of ``path``."""

    @abstractmethod
    def is_input(self, file: str) -> bool:
        """Whether it is the input ``file``, a path as `engine.inputs.formats.expand` gives it."""

    @abstractmethod
    def made(self, *, within: Path | None = None) -> AbstractContextManager[Path]:
        """A path to write to, which is in the place when the block ends without an error: whole, or not at all.

        Args:
            within: the folder on this machine where it is made for a place behind a URL; one for temporary files if
                None.
        """


class _LocalFile(OutputFile):
    def __init__(self, place: Path) -> None:
        self.place: Path = place
        self.suffix = place.suffix

    def check(self) -> None:
        if self.place.is_dir():
            raise OutputPlaceError(f"{self} is a folder; name a file in it with --out")
        if not self.place.parent.is_dir():
            raise OutputPlaceError(f"{self.place.parent} is no folder; make it, or name another file with --out")

    def exists(self) -> bool:
        return self.place.exists()

    def holds(self, path: Path) -> bool:
        return self.exists() and filecmp.cmp(self.place, path, shallow=False)

    def is_input(self, file: str) -> bool:
        return self.exists() and self.place.samefile(file)

    def made(self, *, within: Path | None = None) -> AbstractContextManager[Path]:  # noqa: ARG002 - beside its place
        return replaced(self.place)


class _RemoteFile(OutputFile):
    def __init__(self, place: Remote, url: str) -> None:
        self.place: Remote = place
        self.suffix = PurePosixPath(place.name).suffix
        self._is_named_as_folder = url.endswith("/")

    def check(self) -> None:
        if self._is_named_as_folder or self.place.is_folder():
            raise OutputPlaceError(f"{self} is a folder; name a file in it with --out")

    def exists(self) -> bool:
        return self.place.size() is not None

    def holds(self, path: Path) -> bool:
        return self.place.holds(path)

    def is_input(self, file: str) -> bool:
        return name_of(file) == str(self)

    @contextlib.contextmanager
    def made(self, *, within: Path | None = None) -> Iterator[Path]:
        with made_here(self.place, within) as folder:
            path = folder / f"output{self.suffix}"
            yield path
            self.place.put(path)


def output_file(out: str | os.PathLike[str]) -> OutputFile:
    """The file that ``out`` names: a path, or a URL. Nothing is looked at yet.

    Raises:
        OutputPlaceError: nothing can be written there, as it is named.
        EngineError: a package is missing.
    """
    place = place_of_output(out)
    return _LocalFile(place) if isinstance(place, Path) else _RemoteFile(place, os.fspath(out))


@contextlib.contextmanager
def made_here(place: Remote, within: Path | None = None) -> Iterator[Path]:
    """A folder of this machine, for what is then put to ``place``; it goes with the block.

    Raises:
        EngineError: its disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="engine-output-", dir=within) as name:
        folder = Path(name)
        with room(place, folder, variable="TMPDIR" if within is None else FOLDER):
            yield folder
