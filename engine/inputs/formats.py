"""Names of input files → their rows as raw blocks, whatever the format.

Parquet, Arrow, CSV and TSV, JSON Lines and plain text, the line formats also as .gz or .zst. Nothing is judged here
but what the format itself forbids: a line that is no JSON, a CSV row with too many fields.
"""

import dataclasses
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.blocks import RawBlock
from engine.inputs.columns import ColumnNames
from engine.inputs.delimited import read_csv
from engine.inputs.json_lines import read_jsonl
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.inputs.plain_text import read_text
from engine.inputs.tables import read_arrow, read_parquet

_COMPRESSIONS = (".gz", ".zst")
_LINE_FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
_Reader = Callable[[str, ColumnNames, ReadOptions], Iterator[RawBlock]]
_READERS: dict[str, _Reader] = {
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".arrow": read_arrow,
    ".feather": read_arrow,
    ".ipc": read_arrow,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_jsonl,
    ".txt": read_text,
}


def expand(patterns: Iterable[str]) -> list[str]:
    """Paths and globs → existing files, in the order given and, within a glob, by name.

    Raises:
        InputError: one matches nothing, is a folder, occurs twice or is of a format that is not read.
    """
    files = [file for pattern in patterns for file in _matches(pattern)]
    seen: dict[str, str] = {}
    for file in files:
        if os.path.isdir(file):  # noqa: PTH112 - Path.is_dir raises on a name that is too long
            raise InputError(f"{file} is a folder; name its files, for example '{file.rstrip('/')}/*.parquet'")
        if not os.path.isfile(file):  # noqa: PTH113
            raise InputError(f"{file}: there is no such file")
        place = str(Path(file).resolve())
        if place in seen:
            first = "" if seen[place] == file else f", the first time as {seen[place]}"
            raise InputError(f"{file} is given twice{first}")
        seen[place] = file
        _reader_of(file)
    return files


def _matches(pattern: str) -> list[str]:
    shown = pattern.encode("utf-8", "backslashreplace").decode()
    if "://" in pattern:
        raise InputError(f"{shown}: inputs are read from local disks only; download it first")
    found = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH110, PTH207
    if not found:
        raise InputError(f"{shown}: there is no such file")
    for file in found:
        if not _is_unicode(file):
            raise InputError(f"{file.encode('utf-8', 'backslashreplace').decode()}: its name is not UTF-8; rename it")
    return found


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_raw(file: str, wanted: ColumnNames, options: ReadOptions = FOUND_OUT) -> Iterator[RawBlock]:
    """The rows of ``file``, block by block; columns that stand in its path are among their columns.

    Raises:
        InputError: the file cannot be read, or a column is missing.
    """
    try:
        for block in _reader_of(file)(file, wanted, options):
            constants = block.columns.constants
            yield block if not constants else dataclasses.replace(block, data=block.data | _repeated(block, constants))
    except (pa.ArrowException, OSError, EOFError, UnicodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def _repeated(block: RawBlock, constants: dict[str, str | None]) -> dict[str, pa.Array]:
    """An array for each of the columns that are the same in every row."""
    return {name: pa.array([value] * block.rows, pa.string()) for name, value in constants.items()}


def _reader_of(file: str) -> _Reader:
    path = Path(file)
    compressed = path.suffix in _COMPRESSIONS
    suffix = (Path(path.stem) if compressed else path).suffix.lower()
    if suffix not in _READERS or (compressed and suffix not in _LINE_FORMATS):
        raise InputError(
            f"{file}: known are {' '.join(_READERS)}, and {' '.join(_LINE_FORMATS)} with {' or '.join(_COMPRESSIONS)}"
        )
    return _READERS[suffix]
