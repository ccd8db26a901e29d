"""First lines of a delimited file whose header is not like its rows → which line it is, or a refusal with a way."""

import csv
import json
import re
from collections.abc import Sequence

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, find_columns
from engine.inputs.delimited_files.commands import for_sed, python_csv, sed, tail
from engine.inputs.delimited_files.dialect import Dialect, shown
from engine.inputs.delimited_files.first_rows import is_data
from engine.inputs.delimited_files.header import Header, find_header
from engine.inputs.delimited_files.no_header import LIKE_DATA

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT, _ABOVE = 20, 15
_MOST, _FEW, _SHOWN = 0.8, 0.5, 200


def header_in(
    rows: Sequence[list[str]], lines: Sequence[str], wanted: ColumnNames, *, file: str, dialect: Dialect
) -> Header:
    """The header of a file, as `find_header`.

    Args:
        rows: the first ones; one that cannot be parsed is empty.
        lines: of the same, and of what stands above them.
        wanted: column names that the user gave.
        file: for messages.
        dialect: of the file.

    Raises:
        InputError: there is none, it is not written as the rows are, or a column that is needed is not in it.
    """
    _check_spaces(rows, lines, file, dialect)
    _check_delimiter(rows, lines, file)
    _check_typographic(rows, lines, file, dialect)
    try:
        return find_header(rows, wanted, file=file, delimiter=dialect.delimiter)
    except InputError as error:
        raise _with_title(error, lines, wanted, file, dialect) from None


def _check_spaces(rows: Sequence[list[str]], lines: Sequence[str], file: str, dialect: Dialect) -> None:
    """Refuse rows with white space between a quotation mark that closes a field and the delimiter behind it."""
    some = rows[1 : _LOOKED_AT + 1]
    if not dialect.quote or sum(len(row) != len(rows[0]) for row in some) * 2 <= len(some):
        return
    between = re.escape(dialect.delimiter)
    spaced = re.compile(rf"{re.escape(dialect.quote)}[ \t]+(?:{between}|[\r\n]*\Z)")
    if sum(spaced.search(line) is not None for line in lines[1 : _LOOKED_AT + 1]) * 2 > len(some):
        reader = (
            f"csv.reader(sys.stdin, delimiter={json.dumps(dialect.delimiter)}, quotechar={json.dumps(dialect.quote)}, "
        )
        expression = f"[field.strip() for field in row] for row in {reader}skipinitialspace=True)"
        raise InputError(
            f"{file}: white space stands between quotation marks and {shown(dialect.delimiter)}. Take it away, with: "
            f"{python_csv(expression, file)}"
        )


def _check_typographic(rows: Sequence[list[str]], lines: Sequence[str], file: str, dialect: Dialect) -> None:
    """Refuse typographic quotation marks around fields, as a word processor makes them, that do not hold them together.

    They are taken for those of a text itself if no row has more fields than the header.
    """
    if not rows[0] or not any(len(row) > len(rows[0]) for row in rows[1:]):
        return
    between = re.escape(dialect.delimiter)
    marked = re.compile(rf"(?:^|{between}) *[“„”][^“„”]*[”“](?= *(?:{between}|[\r\n]*\Z))")
    some = [line for line in lines[1:_LOOKED_AT] if line.strip()]
    if sum(marked.search(line) is not None for line in some) * 2 > len(some):
        mark = for_sed(dialect.delimiter)
        script = rf's/"/""/g; s/\(^\|{mark}\) *\(“\|„\|”\)/\1"/g; s/\(”\|“\) *\({mark}\|\r*$\)/"\2/g'
        raise InputError(
            f"{file}: typographic quotation marks stand around fields ({some[0].strip()[:_SHOWN]}); make them "
            f"straight, with {sed(script, file)}"
        )


def _check_delimiter(rows: Sequence[list[str]], lines: Sequence[str], file: str) -> None:
    """Refuse a header with another character between its names than its rows have between their fields."""
    width = len(rows[0])
    below = [row for row in rows[1 : _LOOKED_AT + 1] if row]
    if not below or any(len(row) == width > 1 for row in below):
        return
    number, line = next((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    of_header = {mark: len(line.split(mark)) for mark in _DELIMITERS if mark in line}
    for mark, names in of_header.items():
        for other in _DELIMITERS:
            if other not in of_header and _share(lines[number : number + _LOOKED_AT], other, names) == 1:
                way = sed(f"{number}s/{for_sed(mark)}/{for_sed(other)}/g", file)
                raise InputError(
                    f"{file}: its header has {shown(mark)} between names ({line.strip()[:_SHOWN]}), and its rows have "
                    f"{shown(other)} between fields; write the header as the rows are, with {way}"
                )


def _with_title(
    error: InputError, lines: Sequence[str], wanted: ColumnNames, file: str, dialect: Dialect
) -> InputError:
    """``error``, or that a title of several lines stands above the header."""
    for delimiter in dict.fromkeys((dialect.delimiter, *_DELIMITERS)):
        for number, line in enumerate(lines[1:_ABOVE], start=2):
            above = lines[: number - 1]
            if LIKE_DATA in str(error) and _share(above, delimiter, len(line.split(delimiter))) > _FEW:
                continue  # it may be data as what stands above it
            if delimiter in line and _is_header(line, lines[number : number + _LOOKED_AT], wanted, file, delimiter):
                return InputError(
                    f"{file}: line {number} looks like its header ({line.strip()[:_SHOWN]}); take away what stands "
                    f"above it, with: {tail(number, file)}"
                )
    return error


def _is_header(line: str, below: Sequence[str], wanted: ColumnNames, file: str, delimiter: str) -> bool:
    """Whether ``line`` has names of columns that are needed, and the lines below it have as many fields."""
    try:
        names = next(csv.reader([line], delimiter=delimiter))
        find_columns(names, wanted, file=file)
    except (InputError, csv.Error):
        return False
    rows = _rows(below, delimiter)
    return _share(below, delimiter, len(names)) >= _MOST and not is_data([names, *rows])


def _share(lines: Sequence[str], delimiter: str, width: int) -> float:
    """What share of the rows has ``width`` fields, which are two or more; 0 if there are none."""
    rows = _rows(lines, delimiter)
    return sum(len(row) == width > 1 for row in rows) / len(rows) if rows else 0


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of ``lines``, the last of which may be cut."""
    return [row for row in csv.reader(lines, delimiter=delimiter) if row]
