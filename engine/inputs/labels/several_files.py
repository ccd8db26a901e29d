"""Several files that are read together, of which one has not all columns → what is to be done about it."""

import dataclasses
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.errors import InputError, MissingColumnError
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns
from engine.inputs.formats import read_raw
from engine.inputs.labels.names.class_files import way_of_class_files
from engine.inputs.options import Reading, ReadOptions
from engine.inputs.paths.copies import called_as_copies
from engine.inputs.paths.file_kinds import DELIMITED, JSON, PARQUET, TEXT, kind_of_file

_PROBED = 20  # files
_ALIKE = 2  # texts that two files share
_SIGNS = re.compile(rb"[\W_]+")
_ONE_NAME = "It needs one name in all files: rename it where it has another, or leave the file out"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A file that has texts or labels, or both, and the column of ids by which they are joined."""

    file: str
    id: str
    value: str
    has_both: bool
    reading: Reading


@contextmanager
def read_together(files: Sequence[str], *, with_texts: bool = True, classes: Sequence[str] = ()) -> Iterator[None]:
    """Say what is to be done if one of several ``files`` does not have a column that is needed.

    Args:
        files: that are read inside.
        with_texts: whether texts are read, too, and not labels alone.
        classes: the class names that are known.

    Raises:
        InputError: as inside, with a way out.
    """
    try:
        yield
    except InputError as error:
        if len(files) < 2 or not _is_of_column(error):
            raise
        if by_name := way_of_class_files(files, classes):
            raise InputError(f"{error}. Or {by_name}") from None
        way = _joined(files) if with_texts else None
        if way is None and all(kind_of_file(file) == TEXT for file in files):
            raise
        raise InputError(way or f"{error}. {_ONE_NAME}") from None


def copies_notes(files: Sequence[str], named: Sequence[str], wanted: ColumnNames, options: ReadOptions) -> list[str]:
    """Notes on files whose names say that they hold rows of another one once more.

    Args:
        files: that are read together.
        named: what the user named: files, folders and globs.
        wanted: column names that the user gave.
        options: how the files are read.

    Raises:
        InputError: a folder or a glob gave two such files, and the first rows of both share texts.
    """
    notes: list[str] = []
    for file, other in () if options.whole_files else called_as_copies(files):
        if {file, other} <= set(named):
            continue
        texts = _first_texts(file, wanted, options), _first_texts(other, wanted, options)
        if len(texts[0] & texts[1]) >= min(_ALIKE, *map(len, texts)) > 0:
            raise InputError(
                f"{file} seems to hold rows of {other} once more, for it is called so, and they share texts: name the "
                f"one that is to be read, as {shlex.quote(other)}, or each file if all rows are wanted"
            )
        notes.append(f"{file}: it is called as a copy or a part of {other}, and the rows of both are read")
    return notes


def columns_by_file(files: Sequence[str], wanted: ColumnNames, options: ReadOptions) -> dict[str, ColumnNames]:
    """What is ``wanted`` of each of ``files``: no label of those that lack the column that the user named for it.

    Where all lack it, or something else is wrong, it is wanted of all, so that reading them says so.
    """
    same = dict.fromkeys(files, wanted)
    if len(files) < 2 or not wanted.label:
        return same
    without = dataclasses.replace(wanted, label=NO_COLUMN)
    lacking = [
        file for file in files if not _has_columns(file, wanted, options) and _has_columns(file, without, options)
    ]
    return same | dict.fromkeys(lacking, without) if len(lacking) < len(files) else same


def without_gold_notes(columns: Mapping[str, ColumnNames], wanted: ColumnNames) -> list[str]:
    """Notes on files of which no label is read, since they lack the column; of `columns_by_file`."""
    lacking = [file for file, one in columns.items() if one != wanted]
    return [f"{file}: there is no column {wanted.label!r}, and so its rows have no gold" for file in lacking]


def _has_columns(file: str, wanted: ColumnNames, options: ReadOptions) -> bool:
    """Whether ``file`` has all columns that are ``wanted``, as far as that is what is wrong with it."""
    try:
        next(read_raw(file, wanted, options), None)
    except InputError as error:
        return not _is_of_column(error)
    return True


def _first_texts(file: str, wanted: ColumnNames, options: ReadOptions) -> set[bytes]:
    """Texts at the beginning of ``file``, in small letters without signs; none if rows have ids, which tell copies."""
    try:
        block = next(read_raw(file, wanted, options), None)
    except InputError:
        return set()
    if block is None or block.columns.id is not None or not block.columns.text:
        return set()
    rows = zip(*(block.data[name].to_pylist() for name in block.columns.texts), strict=True)
    return {_SIGNS.sub(b"", b"".join(map(_bytes, row)).lower()) for row in rows} - {b""}


def _bytes(value: Any) -> bytes:
    """A text; empty if ``value`` is none."""
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b""


def _is_of_column(error: BaseException | None) -> bool:
    """Whether a column is missing; readers may have said more of it."""
    while error is not None and not isinstance(error, MissingColumnError):
        error = error.__cause__ or error.__context__
    return error is not None


def _joined(files: Sequence[str]) -> str | None:
    """How texts of one file and labels of another come together, if that is what they have."""
    probed = {file: _probed(file, ColumnNames()) for file in files[:_PROBED]}
    texts = [part for part in probed.values() if part is not None and not part.has_both]
    without = (_probed(file, LabelColumns()) for file, part in probed.items() if part is None)
    labels = [part for part in without if part is not None]
    if not texts or not labels:
        return None
    one, other = texts[0], labels[0]
    said = f"{one.file} has texts, and {other.file} their labels: join them by {one.id!r}"
    if len(files) > 2 or (reads := _source(one)) is None or (also := _source(other)) is None:
        return f"{said} into one table"
    query = (
        f"COPY (SELECT t.*, l.{_name(other.value)} FROM {reads} t LEFT JOIN {also} l "
        f"ON t.{_name(one.id)}::VARCHAR = l.{_name(other.id)}::VARCHAR) TO 'rows.csv' (HEADER)"
    )
    return f"{said} and read what comes out: {_of_python(query)}"


def _probed(file: str, wanted: ColumnNames) -> _Part | None:
    """``file`` with the columns that are ``wanted``; None if it does not have them, or no ids."""
    try:
        block = next(read_raw(file, wanted), None)
    except InputError:
        return None
    if block is None or block.columns.id is None:
        return None
    columns = block.columns
    value = columns.label if isinstance(wanted, LabelColumns) else columns.text
    has_both = bool(columns.text and columns.label)
    return _Part(file=file, id=block.columns.id, value=value or "", has_both=has_both, reading=block.reading)


def _source(part: _Part) -> str | None:
    """How DuckDB reads a file."""
    file = _text(part.file)
    kind, options = kind_of_file(part.file), part.reading.options
    if kind == DELIMITED:
        said = {"delim": options.delimiter or ",", "quote": options.quote or ""}
        odd = [f", {key}={_text(value[-1:])}" for key, value in said.items() if value not in (",", '"')]
        return f"read_csv({file}, header=true, all_varchar=true{''.join(odd)})"
    return {JSON: f"read_json({file})", PARQUET: f"read_parquet({file})"}.get(kind or "")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(column: str) -> str:
    return column if re.fullmatch(r"[A-Za-z]\w*", column, re.ASCII) else '"' + column.replace('"', '""') + '"'


def _of_python(query: str) -> str:
    """A command that runs ``query``, with as few marks of a shell as can be."""
    if not re.search(r'["$`!\\]', query):
        return f"python -c \"import duckdb; duckdb.sql('''{query}''')\""
    return f"python -c {shlex.quote(f'import duckdb; duckdb.sql({query!r})')}"
