"""First rows of a delimited file → refused if a backslash stands before its tabs, its delimiters or its line ends."""

import json
import shlex
from collections.abc import Sequence
from statistics import mode

from engine.errors import InputError
from engine.inputs.delimited_files.commands import python_csv, unescaped
from engine.inputs.delimited_files.dialect import Dialect, shown
from engine.inputs.delimited_files.values import NULL

_FEW = 2


def refuse_backslashes(
    lines: Sequence[str], rows: Sequence[Sequence[str]], dialect: Dialect, file: str, *, width: int
) -> None:
    r"""Refuse what a database dumped in its own way, with ``\N`` for null, and what is escaped and not quoted.

    Args:
        lines: the first ones.
        rows: of those lines, the header among them.
        dialect: how they are read.
        file: for messages.
        width: how many fields the header has.

    Raises:
        InputError: backslashes stand before delimiters or line ends.
    """
    of_tabs = dialect.delimiter == "\t" and not dialect.quote
    if (dialect.escaped or of_tabs) and any(NULL in row for row in rows):
        way = "" if dialect.quote else f"; or let Python write it as CSV: {unescaped(file)}"
        raise InputError(f"{_dump(dialect, file)}{way}")
    at_ends = sum(len(row) == width > 1 and row[-1].endswith("\\") for row in rows) >= _FEW
    if of_tabs:
        usual = mode(map(len, rows)) if rows else 0
        if at_ends or any(field.endswith("\\") for row in rows if len(row) != usual for field in row):
            raise InputError(f"{_dump(dialect, file)}; or let Python write it as CSV: {unescaped(file)}")
        return
    wide = [row for row in rows if len(row) > width or (dialect.escaped and 0 < len(row) < width)]
    marked = [row for row in wide if any(field.endswith("\\") for field in row)]
    enough = len(marked) >= (1 if dialect.escaped else _FEW) and len(marked) * 2 > len(wide)
    if enough or (dialect.escaped and at_ends):
        raise _escaped(lines, dialect, file)


def _dump(dialect: Dialect, file: str) -> str:
    quote = shlex.quote(dialect.words[1]) if dialect.quote else "none"
    return (
        f"{file} looks like a dump of MySQL or PostgreSQL, with {NULL} for null and a backslash before tabs and "
        "line ends: write it as CSV, with COPY … TO … WITH (FORMAT csv, HEADER) in PostgreSQL, with "
        f"util.exportTable(…, {{dialect: 'csv'}}) in MySQL Shell; --quote {quote} takes every backslash as it is"
    )


def _escaped(lines: Sequence[str], dialect: Dialect, file: str) -> InputError:
    """An error: the file is one of a writer without quotation marks, as csv.writer with an escapechar."""
    return InputError(
        f"{file}: a backslash stands before {shown(dialect.delimiter)} in its fields, which no quotation marks hold "
        f"together. To write it as CSV with quotation marks: {_rewritten(lines, dialect, file)}; "
        f"--quote {shlex.quote(dialect.words[1])} takes every backslash as it is"
    )


def _rewritten(lines: Sequence[str], dialect: Dialect, file: str) -> str:
    """The command that writes the file as CSV."""
    is_quoted = any(line.startswith('"') or f'{dialect.delimiter}"' in line for line in lines)
    quoting = "doublequote=False" if is_quoted else "quoting=csv.QUOTE_NONE"
    reader = f"csv.reader(sys.stdin, delimiter={json.dumps(dialect.delimiter)}, {quoting}, escapechar=chr(92))"
    return python_csv(reader, file)
