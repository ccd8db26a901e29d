"""A URL → the file or folder behind it, as far as it can be written: which schemes are, and what each one can do.

``s3://``, ``gs://`` and ``az://`` are reached as stores there are, with the same credentials; every other scheme by
fsspec, whose packages a user may add. A file appears there whole: it is made on this machine, and put.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from engine.errors import OutputPlaceError
from engine.inputs.remote.sources import BUCKETS, WEB, shown, with_scheme

WAYS = (
    "name a place on this machine, or a URL of s3://, gs://, az:// or of another scheme that fsspec writes, as sftp://"
)
_HUB = (
    "the Hub takes commits, and no files: `engine export STORE --to hf --push USER/NAME` uploads a data set; write "
    "others on this machine, and upload them with `hf upload`"
)


class Remote(ABC):
    """A file or a folder behind a URL. In words it is its URL, without credentials.

    Attributes:
        name: what messages and records call it.
    """

    name: str

    def __str__(self) -> str:
        return self.name

    @abstractmethod
    def is_folder(self) -> bool:
        """Whether there are files below it. Who is not let in learns so here.

        Raises:
            InputError: it cannot be reached.
            StoreError: its bucket cannot be reached.
        """

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Names of all files below it, in any folder, and their bytes."""

    @abstractmethod
    def size(self, name: str = "") -> int | None:
        """Bytes of the file ``name`` below it, or of itself; None if there is none."""

    @abstractmethod
    def pieces(self, name: str = "") -> Iterator[bytes]:
        """The bytes of the file ``name`` below it, or of itself."""

    @abstractmethod
    def put(self, path: Path, name: str = "") -> None:
        """Make ``path`` the file ``name`` below it, or itself, in one step; what is there is replaced."""

    def holds(self, path: Path, name: str = "") -> bool:
        """Whether the file ``name`` below it, or itself, is there and has the bytes of ``path``."""
        if self.size(name) != path.stat().st_size:
            return False
        with path.open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in self.pieces(name))


def remote_of(url: str) -> Remote:
    """The place behind ``url``; nothing is asked of its server.

    Raises:
        OutputPlaceError: nothing can be written there, as it is named.
        InputError: a package is missing.
    """
    scheme, url = with_scheme(url)
    if scheme in WEB:
        raise OutputPlaceError(f"{shown(url)}: a web server is read, and takes no files; {WAYS}")
    if scheme == "hf":
        raise OutputPlaceError(f"{shown(url)}: {_HUB}")
    if scheme in BUCKETS:
        from engine.outputs.bucket import BucketPlace

        return BucketPlace(url)
    from engine.outputs.file_system import FilePlace

    return FilePlace(url, scheme)
