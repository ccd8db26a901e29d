"""Inputs as a user names them → files: also the standard input, which is copied into one."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from engine.errors import InputError
from engine.inputs.formats import expand

STDIN = "-"
"""The name of the standard input among inputs."""
FORMATS = ("jsonl", "csv", "tsv", "txt", "parquet", "arrow")
_FIRST_BYTES = 64
_BEGINNINGS = {b"PAR1": "parquet", b"ARROW1": "arrow", b"{": "jsonl", b"[": "jsonl"}
_PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"BZh": ".bz2", b"\xfd7zXZ": ".xz"}
_EDGES = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The files that are read.

    Attributes:
        files: where they are.
        names: what ids and messages call those that are copies.
    """

    files: list[str]
    names: dict[str, str] = field(default_factory=dict)

    def name_of(self, file: str) -> str:
        """What ids and messages call ``file``."""
        return self.names.get(file, file)

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Let errors call copies by their names."""
        try:
            yield
        except InputError as error:
            words = str(error)
            for file, name in self.names.items():
                words = words.replace(file, name)
            if words == str(error):
                raise
            raise type(error)(f"{words}. (--input-format says what is read as: {', '.join(FORMATS)})") from error


@contextlib.contextmanager
def source_of(inputs: tuple[str, ...], format_: str | None) -> Iterator[Source]:
    """The files of ``inputs``; a copy of the standard input goes when the block ends.

    Args:
        inputs: files, folders and globs; or `STDIN` alone.
        format_: of the standard input; by its first bytes if None.

    Raises:
        InputError: one matches nothing, or the standard input is among others.
    """
    if STDIN not in inputs:
        if format_ is not None:
            raise InputError("--input-format is for the standard input, and the inputs are files; give it without")
        yield Source(files=expand(inputs))
        return
    if len(inputs) > 1:
        raise InputError("- is the standard input, and stands alone; name files, or feed all of them into it")
    with tempfile.TemporaryDirectory(prefix="engine-stdin-") as folder:
        file = str(_copied(sys.stdin.buffer, Path(folder), format_))
        yield Source(files=[file], names={file: "stdin"})


def _copied(stream: BinaryIO, folder: Path, format_: str | None) -> Path:
    first = stream.read(_FIRST_BYTES)
    packed = next((ending for begin, ending in _PACKED.items() if first.startswith(begin)), "")
    plain = first.lstrip(_EDGES)
    found = next((name for begin, name in _BEGINNINGS.items() if plain.startswith(begin)), "txt")
    if packed and format_ is None:
        raise InputError(f"stdin is packed ({packed[1:]}); say with --input-format what is in it: {', '.join(FORMATS)}")
    place = folder / f"stdin.{format_ or found}{packed}"
    with place.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(stream, file, 1 << 20)
    return place
