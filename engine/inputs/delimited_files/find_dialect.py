"""First lines of a delimited file → its dialect, as far as the user does not say it.

Each candidate reads the lines, and the one under which the fewest rows are bad is taken; where that decides nothing,
the ordinary one is: a comma, doubled quotation marks, and none at all between tabs.
"""

import dataclasses
import re
from collections.abc import Sequence

from engine.inputs.delimited_files.dialect import Dialect
from engine.inputs.delimited_files.rows import RowReader
from engine.inputs.delimited_files.shape import Shape
from engine.inputs.delimited_files.tape import RETURN, Tape, lines_in
from engine.inputs.options import ReadOptions

_DELIMITERS = (",", ";", "\t", "|", "\x01")
_AGREE, _BARELY = 0.9, 0.5
_CLEARLY = 10
_NAME = re.compile(r"[\w.-][\w .-]{0,30}")
_SCORED_LINES = 1000
_WHOLE = 1 << 14  # characters: a sample that is cut has more bytes than four for each


def find_dialect(lines: Sequence[str], options: ReadOptions, *, likely: str) -> Dialect:
    """The dialect of a file.

    Args:
        lines: its first ones.
        options: what the user says.
        likely: the delimiter that its name promises.
    """
    lines = lines[:_SCORED_LINES]
    width = len(options.names or ()) or None
    delimiter = options.delimiter or _delimiter(lines, likely, options)
    if options.quote is not None:
        dialect = Dialect.said(delimiter, options.quote)
    else:
        dialect = _quoting(lines, Dialect.said(delimiter, '"'), width)
    return dialect if options.delimiter or not dialect.quote else _spacing(lines, dialect, width)


def rows_in(lines: Sequence[str], dialect: Dialect, shape: Shape | None = None) -> list[list[str]]:
    """The rows of ``lines``; one that is refused is empty."""
    text = dialect.prepared()("".join(lines))
    reader = RowReader(Tape(iter([[*lines_in(text)]])), dialect, shape)
    return [fields for rows in reader.blocks() for fields in rows.fields]


def _delimiter(lines: Sequence[str], likely: str, options: ReadOptions) -> str:
    """The likely one, unless another one makes rows of the header and the lines below it, and this one does not."""
    found = {character: _agreement(lines, character, options) for character in (likely, *_DELIMITERS)}
    fields, share = found[likely]
    if fields > 1 and share >= _BARELY:
        return likely
    first = next((line for line in lines if line.strip()), "")
    enough = {character: _BARELY if _are_names(first.split(character)) else _AGREE for character in found}
    others = {character: pair for character, pair in found.items() if pair[0] > 1 and pair[1] >= enough[character]}
    return max(others, key=lambda character: (others[character][1], others[character][0]), default=likely)


def _are_names(fields: list[str]) -> bool:
    """Whether ``fields`` could be the names of columns and no prose."""
    return all(_NAME.fullmatch(field.strip().strip('"')) for field in fields)


def _agreement(lines: Sequence[str], delimiter: str, options: ReadOptions) -> tuple[int, float]:
    """How many fields the header has, and what share of the rows has as many."""
    either = ('"', "") if delimiter == "\t" else ('"',)
    quotes = either if options.quote is None else (options.quote,)
    dialects = [Dialect.said(delimiter, quote) for quote in quotes]
    return max((_agreed(rows_in(lines, one), len(options.names or ())) for one in dialects), key=lambda pair: pair[1])


def _agreed(rows: list[list[str]], width: int) -> tuple[int, float]:
    if not width:
        width, rows = len(rows[0]) if rows else 0, rows[1:]
    shape = Shape.of(rows, width, needed=width)
    return width, sum(shape.fitted(row) is not None for row in rows) / len(rows) if rows else 1.0


def _bad(lines: Sequence[str], dialect: Dialect, width: int | None) -> int:
    """How many rows are refused. The last one of a sample may be cut, and is not counted."""
    return _bad_and_odd(lines, dialect, width)[0]


def _bad_and_odd(lines: Sequence[str], dialect: Dialect, width: int | None) -> tuple[int, int]:
    """How many rows are refused, as `_bad`; and how many of the others do not look like most."""
    rows = rows_in(lines, dialect)
    if not rows or (width is None and not rows[0]):
        return len(lines), 0
    shape = Shape.of(rows if width else rows[1:], width or _width(rows), needed=1)
    read = rows_in(lines, dialect, shape)
    read = read if width or shape.width == len(rows[0]) else read[1:]
    may_be_cut = len(lines) == _SCORED_LINES or sum(map(len, lines)) >= _WHOLE
    read = read[:-1] if may_be_cut else read
    bad = sum(not row for row in read)
    return bad, sum(not shape.fits(row) for row in read if row)


def _width(rows: list[list[str]]) -> int:
    """How many fields rows have by their header; one more if most have, as where R wrote the names of rows as well."""
    header = len(rows[0])
    return header + (sum(len(row) == header + 1 for row in rows[1:]) * 2 > len(rows))


def _quoting(lines: Sequence[str], doubled: Dialect, width: int | None) -> Dialect:
    """Whether quotation marks mean something, and how they are written inside of a field."""
    text = "".join(lines)
    quoted = doubled
    around = dataclasses.replace(doubled, quote="'")
    may_be_around = _begins(lines, around) and not _begins(lines, doubled)
    if may_be_around and _are_doubled(lines, around, width):
        return around
    if may_be_around and '"' not in text and _has_apostrophes(lines, doubled, width):
        return around
    if '\\"' in text:
        escaped = dataclasses.replace(doubled, escaped=True)
        bad, less_bad = _bad(lines, doubled, width), _bad(lines, escaped, width)
        if less_bad * _CLEARLY < bad or (bad == less_bad and _only_escaped(text, doubled.delimiter)):
            quoted = escaped
    if doubled.delimiter != "\t" or _shows_quotes(lines, quoted, width):
        return quoted
    return dataclasses.replace(doubled, quote="")


def _has_apostrophes(lines: Sequence[str], plain: Dialect, width: int | None) -> bool:
    """Whether apostrophes stand around fields: around all of a column, or where they save rows."""
    quoted = dataclasses.replace(plain, quote="'")
    bad, bad_without = _bad(lines, quoted, width), _bad(lines, plain, width)
    columns = zip(*rows_in(lines, plain)[1:], strict=False)
    around_all = any(all(len(value) > 1 and value[0] == value[-1] == "'" for value in column) for column in columns)
    return bad * 2 < bad_without or (bad == bad_without == 0 and around_all)


def _begins(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether some field seems to begin with the quotation mark."""
    return any(line.startswith(dialect.quote) or f"{dialect.delimiter}{dialect.quote}" in line for line in lines)


def _are_doubled(lines: Sequence[str], around: Dialect, width: int | None) -> bool:
    """Whether apostrophes stand around fields: one has doubled ones inside, and no field begins with another one.

    A writer who puts apostrophes around the fields that need them leaves no other trace.
    """
    between = re.escape(around.delimiter)
    doubled = re.compile(rf"(?:^|{between})'(?:[^']|'')*''(?:[^']|'')*'(?={between}|\r|\n|\Z)", re.MULTILINE)
    return doubled.search("".join(lines)) is not None and not _bad(lines, around, width)


def _only_escaped(text: str, delimiter: str) -> bool:
    """Whether every quotation mark of ``text`` has a backslash before it, or stands at the edge of a field."""
    text = text.replace('\\"', "")
    between = re.escape(delimiter)
    return '"' not in re.sub(rf'(?:^|(?<={between})) *"|"(?={between}|\r|\n|\Z)', "", text, flags=re.MULTILINE)


def _shows_quotes(lines: Sequence[str], quoted: Dialect, width: int | None) -> bool:
    """Whether a file that need not have quotation marks around fields has them, and then wherever they belong."""
    if not _begins(lines, quoted):
        return False
    plain = dataclasses.replace(quoted, quote="", escaped=False)
    (bad, odd), (bad_without, odd_without) = _bad_and_odd(lines, quoted, width), _bad_and_odd(lines, plain, width)
    if bad or bad_without or _are_marked(lines[0], quoted.delimiter):
        return bad * 2 < bad_without or _are_marked(lines[0], quoted.delimiter)
    return odd < odd_without or all(_is_written(column) for column in zip(*rows_in(lines, plain)[1:], strict=False))


def _are_marked(line: str, delimiter: str) -> bool:
    """Whether all fields of a line stand in quotation marks."""
    return all(len(field) > 1 and field[0] == field[-1] == '"' for field in line.strip().split(delimiter))


def _is_written(column: Sequence[str]) -> bool:
    """Whether a program wrote the quotation marks of a column: around all fields, or where a field needs them.

    Spreadsheets put them around each field with a comma, although a tab stands between fields.
    """
    filled = [value for value in column if value]
    marked = [value for value in filled if value[0] == '"']
    if marked and not any(len(value) > 1 and value[-1] == '"' for value in marked):
        return False
    needless = [value for value in marked if not any(needy in value[1:-1] for needy in ('""', '\\"', RETURN))]
    with_comma = all(("," in value) == (value[0] == '"') for value in filled if '""' not in value)
    return not needless or len(marked) == len(filled) or with_comma


def _spacing(lines: Sequence[str], dialect: Dialect, width: int | None) -> Dialect:
    """Whether white space behind a delimiter is not part of the field."""
    delimiter = dialect.delimiter
    if delimiter.isspace() or not any(f"{delimiter} " in line for line in lines):
        return dialect
    skipping = dataclasses.replace(dialect, skip_space=True)
    bad, less_bad = _bad(lines, dialect, width), _bad(lines, skipping, width)
    names = rows_in(lines[:1], dialect)
    spaced = width is None and len(names) == 1 and len(names[0]) > 1 and all(name[:1] == " " for name in names[0][1:])
    return skipping if less_bad * 2 < bad or (less_bad == bad and spaced) else dialect
