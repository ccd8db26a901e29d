"""First lines of a text file → whether they are rows of a table."""

import csv
import dataclasses
import io
import re
import shlex
from collections import Counter

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, LabelColumns, find_columns
from engine.inputs.delimited_files.commands import unescaped
from engine.inputs.delimited_files.first_rows import has_names, is_data, is_label, names_for, names_of_ids
from engine.inputs.messages import OR_TEXT
from engine.inputs.options import ReadOptions

_ALMOST_ALL = 0.95
_ESCAPED = re.compile(rb"(?s)\\.")
_QUOTES = " \"'"


def table_of(
    lines: list[bytes], file: str, wanted: ColumnNames, options: ReadOptions
) -> tuple[ReadOptions, tuple[str, ...]] | None:
    """How a text file is read as a delimited one, if almost every line has the same number of tabs; and the notes.

    Raises:
        InputError: it does not show which of the columns is the text.
    """
    _check_dump(lines, file, options)
    (tabs, times), *_ = Counter(line.count(b"\t") for line in lines).most_common(1) or [(0, 0)]
    if not tabs:
        return None
    is_quoted = times < _ALMOST_ALL * len(lines)
    rows = [line.decode("utf-8", "replace").split("\t") for line in lines if line.count(b"\t") == tabs]
    if is_quoted and not (rows := _quoted_rows(lines, tabs + 1)):
        return None
    if is_header(rows, wanted, file):
        note = f"{file}: read with a tab between fields, and its first line as their names"
        return dataclasses.replace(options, delimiter="\t"), (note,)
    if has_names(rows):
        raise _unread_header(rows, wanted, file)
    of_labels = isinstance(wanted, LabelColumns)
    labels = [is_label(column) for column in zip(*rows, strict=True)]
    if tabs == 1 and labels.count(True) == 1:
        what = "id" if of_labels else "text"
        names = ("label", what) if labels[0] else (what, "label")
        note = f"{file}: read as {names[0]} and {names[1]} with a tab between them"
        return dataclasses.replace(options, delimiter="\t", quote=None if is_quoted else "", names=names), (note,)
    some = names_of_ids(rows, tabs + 1) if of_labels else f"{names_for(rows, tabs + 1)}; {OR_TEXT}"
    raise InputError(
        f"{file}: every line has {tabs:,} tab{'s' * (tabs > 1)} in it, and so it is a table. Name its columns, for "
        f"example --delimiter tab --columns {some}"
    )


def _quoted_rows(lines: list[bytes], width: int) -> list[list[str]]:
    """The rows of a table some of whose fields have line ends in quotation marks; none if it is no such table."""
    text = b"\n".join(lines).decode("utf-8", "replace")
    if '"' not in text:
        return []
    try:
        rows = [*csv.reader(io.StringIO(text), delimiter="\t", strict=True)]
    except csv.Error:
        return []
    fit = [row for row in rows if len(row) == width]
    return fit if len(fit) >= _ALMOST_ALL * len(rows) and len(rows) < len(lines) else []


def _check_dump(lines: list[bytes], file: str, options: ReadOptions) -> None:
    r"""Refuse what a database dumped with tabs, without a header, and with a backslash before line ends in a text.

    Raises:
        InputError: it is that.
    """
    if options.quote is not None or not any(line.endswith(b"\\") for line in lines):
        return
    whole = [line for line in _ESCAPED.sub(b"", b"\n".join(lines)).split(b"\n") if line]
    tabs = whole[0].count(b"\t") if whole else 0
    if not tabs or sum(line.count(b"\t") == tabs for line in whole) < _ALMOST_ALL * len(whole):
        return
    rows = [line.decode("utf-8", "replace").split("\t") for line in whole if line.count(b"\t") == tabs]
    raise InputError(
        f"{file} looks like a dump of MySQL or PostgreSQL, with a backslash before tabs and line ends. Let Python "
        f"write it as CSV: {unescaped(file)}; and read that with --columns {names_for(rows, tabs + 1)}; {OR_TEXT}"
    )


def _unread_header(rows: list[list[str]], wanted: ColumnNames, file: str) -> InputError:
    """An error: the first of ``rows`` names columns, and it does not show which of them is the text, or the id."""
    names = [name.strip(_QUOTES) for name in rows[0]]
    texts = names_for(rows[1:], len(names)).split(",")
    guess = f", for example --text {shlex.quote(names[texts.index('text')])}" if "text" in texts else ""
    try:
        find_columns(names, wanted, file=file)
    except InputError as error:
        more = guess if str(error).endswith("name it with --text") else ""
        return InputError(f"{error}{more}; {OR_TEXT}")
    return InputError(f"{file}: its first line looks like a header ({', '.join(names)[:200]}); {OR_TEXT}")


def is_header(rows: list[list[str]], wanted: ColumnNames, file: str) -> bool:
    """Whether the first of ``rows`` names their columns."""
    if is_data(rows):
        return False
    try:
        find_columns([name.strip(_QUOTES) for name in rows[0]], wanted, file=file)
    except InputError:
        return False
    return True
