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
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from engine.inputs.options import ReadOptions
from engine.inputs.plain_text import ending_of_lines

STDIN = "-"
"""The name of the standard input among inputs."""
FORMATS = ("jsonl", "csv", "tsv", "txt", "parquet", "arrow")
_FIRST_BYTES = 64
_TABLES = {b"PAR1": "parquet", b"ARROW1": "arrow"}
_JSON = (b"{", b"[")
_PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"BZh": ".bz2", b"\xfd7zXZ": ".xz"}
_EDGES = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The files that are read.

    Attributes:
        files: where they are.
        names: what ids and messages call those that are copies.
        notes: what a user has to know of how the copies are read.
    """

    files: list[str]
    names: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def name_of(self, file: str) -> str:
        """What ids and messages call ``file``."""
        return self.names.get(file, file)

    def with_names(self, words: str) -> str:
        """``words`` in which copies are called by their names."""
        for file, name in self.names.items():
            words = words.replace(file, name)
        return words

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Let errors call copies by their names."""
        try:
            yield
        except InputError as error:
            words = self.with_names(str(error))
            if words == str(error):
                raise
            raise type(error)(f"{words}. (--input-format says what is read as: {', '.join(FORMATS)})") from error


@contextlib.contextmanager
def source_of(
    inputs: tuple[str, ...], format_: str | None, columns: ColumnNames, options: ReadOptions
) -> Iterator[Source]:
    """The files of ``inputs``; a copy of the standard input goes when the block ends.

    Args:
        inputs: files, folders and globs; or `STDIN` alone.
        format_: of the standard input; found out from its first bytes, and lines of text, if None.
        columns: names that the user gave.
        options: how it is read, as far as it is said.

    Raises:
        InputError: one matches nothing, or the standard input is among others or cannot be read.
    """
    if STDIN not in inputs:
        if format_ is not None:
            raise InputError("--input-format is for the standard input, and the inputs are files; give it without")
        yield Source(files=expand(inputs))
        return
    if len(inputs) > 1:
        raise InputError("- is the standard input, and stands alone; name files, or feed all of them into it")
    with tempfile.TemporaryDirectory(prefix="engine-stdin-") as folder:
        copy = _copied(sys.stdin.buffer, Path(folder), format_, options)
        source = Source(files=[str(copy)], names={str(copy): "stdin"})
        if format_ is None and copy.suffix == ".txt" and copy.stat().st_size:
            with source.named():
                ending = ending_of_lines(str(copy), columns, options)
            source = _as_table(copy, ending, said=options.speaks_of_fields) if ending != "txt" else source
        yield source


def _as_table(copy: Path, ending: str, *, said: bool) -> Source:
    """The copy as a delimited file; a note says so unless the user has ``said`` it."""
    file = str(copy.rename(copy.with_suffix(f".{ending}")))
    notes = [] if said else [f"{file}: read as {ending}; --input-format txt makes a row of each line"]
    return Source(files=[file], names={file: "stdin"}, notes=notes)


def _copied(stream: BinaryIO, folder: Path, format_: str | None, options: ReadOptions) -> Path:
    """A copy of ``stream``, whose name says what is in it, or ``txt`` if it is text of some kind."""
    first = stream.read(_FIRST_BYTES)
    packed = next((ending for begin, ending in _PACKED.items() if first.startswith(begin)), "")
    if packed and format_ is None:
        raise InputError(f"stdin is packed ({packed[1:]}); say with --input-format what is in it: {', '.join(FORMATS)}")
    found = next((name for begin, name in _TABLES.items() if first.startswith(begin)), "txt")
    if first.lstrip(_EDGES).startswith(_JSON) and not options.speaks_of_fields:
        found = "jsonl"
    place = folder / f"stdin.{format_ or found}{packed}"
    with place.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(stream, file, 1 << 20)
    return place
