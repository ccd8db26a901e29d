"""Names of input files → their rows as raw blocks, whatever the format.

Parquet, Arrow, CSV and TSV, JSON, plain text and WebDataset tars; the last four also compressed. Nothing is judged here
but what the format itself forbids: a line that is no JSON, a CSV row with too many fields.
"""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.arrow_files.tables import read_arrow, read_parquet
from engine.inputs.blocks import RawBlock
from engine.inputs.columns import ColumnNames
from engine.inputs.delimited import read_csv
from engine.inputs.json_files.read_json import read_json
from engine.inputs.labels.names.data_cards import with_names_of_card
from engine.inputs.options import FOUND_OUT, UNSPLIT, ReadOptions
from engine.inputs.path_values import with_constants, with_path
from engine.inputs.paths.beside_data import without_beside, without_caches, without_class_names
from engine.inputs.paths.file_kinds import (
    ARROW,
    DELIMITED,
    JSON,
    OF_LINES,
    PARQUET,
    TAR,
    TEXT,
    is_marker,
    kind_of_file,
)
from engine.inputs.paths.folders import files_of, refuse_packed_twice
from engine.inputs.paths.label_lines import refuse_label_lines
from engine.inputs.paths.near_files import near_files
from engine.inputs.paths.other_kinds import unknown_kind
from engine.inputs.plain_text import read_text
from engine.inputs.remote.mirror import fetch
from engine.inputs.remote.sources import is_url, local_path
from engine.inputs.tar_files.patterns import braces_of, refuse_commands
from engine.inputs.tar_files.read_tar import read_tar

_Reader = Callable[[str, ColumnNames, ReadOptions], Iterator[RawBlock]]
_READERS: dict[str, _Reader] = {
    PARQUET: read_parquet,
    ARROW: read_arrow,
    DELIMITED: read_csv,
    JSON: read_json,
    TEXT: read_text,
    TAR: read_tar,
}


def expand(patterns: Iterable[str]) -> list[str]:
    """Paths, globs, folders and URLs of such → files here, in the order given and, within a glob or a folder, by name.

    Files of URLs are fetched, unless they were before.

    Raises:
        InputError: one matches nothing, occurs twice or is of a format that is not read; a folder is no data set.
    """
    files = [file for pattern in patterns for one in braces_of(pattern) for file in _matches(one)]
    seen: dict[str, str] = {}
    for file in files:
        if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises on a name that is too long
            raise InputError(f"{file}: there is no such file")
        if kind_of_file(file) is None:
            raise InputError(unknown_kind(file))
        place = str(Path(file).resolve())
        if place in seen:
            first = "" if seen[place] == file else f", the first time as {seen[place]}"
            raise InputError(f"{file} is given twice{first}")
        seen[place] = file
    return files


def _matches(pattern: str) -> list[str]:
    shown = pattern.encode("utf-8", "backslashreplace").decode()
    refuse_commands(pattern)
    if (here := local_path(pattern)) is not None:
        pattern = here
    elif is_url(pattern):
        fetched = fetch(pattern)
        if not os.path.isdir(fetched[0]):  # noqa: PTH112
            return fetched
        (pattern,) = fetched
    found = [pattern] if os.path.exists(pattern) else _globbed(pattern)  # noqa: PTH110
    if not found:
        raise InputError(f"{shown}: there is no such file{near_files(pattern)}")
    files = [file for path in found for file in (files_of(path) if os.path.isdir(path) else [path])]  # noqa: PTH112
    if found != [pattern] or files != found:
        files = without_class_names(without_caches(files))
        refuse_label_lines(files)
        refuse_packed_twice(files)
    for file in files:
        if not _is_unicode(file):
            raise InputError(f"{file.encode('utf-8', 'backslashreplace').decode()}: its name is not UTF-8; rename it")
    return files


def _globbed(pattern: str) -> list[str]:
    """What a glob matches, but for folders of which it matches files, and for what programs leave beside data."""
    found = sorted(glob.glob(_literal_begin(pattern), recursive=True) or glob.glob(pattern, recursive=True))  # noqa: PTH207
    files = without_beside([path for path in found if not is_marker(path)])
    above = {str(parent) for path in files for parent in Path(path).parents}
    return [path for path in files if str(Path(path)) not in above]


def _literal_begin(pattern: str) -> str:
    """``pattern`` with the folders at its beginning that exist as they are written: ``data[2024]/*.csv``."""
    parts = pattern.split("/")
    for number in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:number])
        if glob.has_magic(folder) and os.path.isdir(folder):  # noqa: PTH112
            return "/".join([glob.escape(folder), *parts[number:]])
    return pattern


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_raw(file: str, wanted: ColumnNames, options: ReadOptions = FOUND_OUT) -> Iterator[RawBlock]:
    """The rows of ``file``, block by block; columns that stand in its path are among their columns.

    Raises:
        InputError: the file cannot be read, a column is missing, or an option is for other formats.
    """
    kind = kind_of_file(file)
    if kind is None:
        raise InputError(unknown_kind(file))
    _check_options(file, kind, options)
    try:
        if kind in OF_LINES and not Path(file).stat().st_size:
            return
        blocks = (with_path(block, file) for block in _READERS[kind](file, wanted, options))
        whole = (with_constants(block) if block.columns.constants else block for block in blocks)
        yield from with_names_of_card(whole, file, options)
    except (pa.ArrowException, OSError, EOFError, UnicodeError) as error:
        is_of_system = isinstance(error, OSError) and error.errno
        way = "" if is_of_system else ". If it is damaged or cut off, fetch it or write it again"
        raise InputError(f"{file} cannot be read: {error}{way}") from error


def _check_options(file: str, kind: str, options: ReadOptions) -> None:
    """Refuse an option that the format of ``file`` cannot obey.

    Raises:
        InputError: there is one.
    """
    given = {
        "--delimiter": (options.delimiter, (DELIMITED, TEXT)),
        "--quote": (options.quote, (DELIMITED, TEXT)),
        "--encoding": (options.encoding, OF_LINES),
        "--columns": (options.names, (DELIMITED, TEXT)),
        "--whole-files": (options.whole_files, (TEXT, TAR)),
    }
    for flag, (value, kinds) in given.items():
        if value and kind not in kinds:
            raise InputError(f"{file} is {kind}, and {flag} is for {' and '.join(kinds)} files; give it without")
    if options.delimiter == UNSPLIT and kind != TEXT:
        raise InputError(f"{file} is {kind}, and --delimiter none is for {TEXT} files; give it without")
