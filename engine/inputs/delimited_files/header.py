"""First rows of a delimited file → which of them is the header, and which column is what. Or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, Columns, find_columns
from engine.inputs.delimited_files.dialect import shown
from engine.inputs.delimited_files.shape import is_number

_TITLE_ROWS = 10
_LONG_NAME, _SENTENCE_WORDS = 80, 5
_LABEL_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class Header:
    """Where the rows of a file begin, and what is in them.

    Attributes:
        columns: which column is what.
        width: number of fields.
        rows: how many rows stand before the first one of data.
    """

    columns: Columns
    width: int
    rows: int


def find_header(rows: Sequence[list[str]], wanted: ColumnNames, *, file: str, delimiter: str) -> Header:
    """The header of a file, which may have a title or a comment above it.

    Args:
        rows: the first ones.
        wanted: column names that the user gave.
        file: for messages.
        delimiter: between the fields.

    Raises:
        InputError: there is none, or a column that is needed is not in it.
    """
    try:
        return Header(columns=find_columns(rows[0], wanted, file=file), width=len(rows[0]), rows=1)
    except InputError as error:
        above = _title_rows(rows)
        if above:
            columns = find_columns(rows[above], wanted, file=file)
            return Header(columns=columns, width=len(rows[above]), rows=above + 1)
        raise _explained(error, rows, file, delimiter) from None


def header_of(names: tuple[str, ...], rows: Sequence[list[str]], wanted: ColumnNames, *, file: str) -> Header:
    """The header of a file that has none.

    Args:
        names: of the columns.
        rows: the first ones.
        wanted: column names that the user gave.
        file: for messages.

    Raises:
        InputError: no row has as many fields, the file has this header, or a column that is needed is not in it.
    """
    if rows and [name.strip().lower() for name in rows[0]] == [name.strip().lower() for name in names]:
        raise InputError(f"{file}: its first line is the header that --columns names; leave --columns out")
    counts = [len(row) for row in rows if row]
    if counts and len(names) not in counts:
        width = max(set(counts), key=counts.count)
        raise InputError(
            f"{file}: --columns names {_of(len(names), 'column')} and the rows have {_of(width, 'field')}; name all of "
            f"them, for example --columns {','.join(names_for(rows, width))}"
        )
    return Header(columns=find_columns(list(names), wanted, file=file), width=len(names), rows=0)


def names_for(rows: Sequence[list[str]], width: int) -> list[str]:
    """Names that the columns of ``rows`` could have: the longest values are texts, the fewest different ones labels."""
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True)) or [("",)] * width
    text = max(range(width), key=lambda place: sum(map(len, columns[place])))
    labels = [place for place in range(width) if place != text and is_label(columns[place])]
    label = min(labels, key=lambda place: len(set(columns[place])), default=1 - text if width == 2 else None)
    return [{text: "text", label: "label"}.get(place, f"column{place + 1}") for place in range(width)]


def is_label(values: Sequence[str]) -> bool:
    """Whether ``values`` look like labels: a few that are short and come again."""
    different = set(values)
    return max(2, len(different)) * 2 <= len(values) and len(different) > 1 and _are_short(different)


def _are_short(values: set[str]) -> bool:
    return all(len(value) <= _LABEL_LENGTH and len(value.split()) < _SENTENCE_WORDS for value in values)


def is_data(rows: Sequence[list[str]]) -> bool:
    """Whether the first of ``rows`` is one like the others, and no header."""
    first, others = rows[0], rows[1:]
    for place, field in enumerate(first):
        value = field.strip()
        sentence = len(value.split()) >= _SENTENCE_WORDS and value[-1] in '.!"…'
        again = value and any(place < len(row) and row[place].strip() == value for row in others)
        if again or sentence or len(value) > _LONG_NAME or is_number(value):
            return True
    return False


def _title_rows(rows: Sequence[list[str]]) -> int:
    """How many rows of a title, a comment or nothing stand above the header; 0 if it is not plain that they do."""
    if not _is_title(rows[0]):
        return 0
    for number, row in enumerate(rows[: _TITLE_ROWS + 1]):
        if sum(map(bool, row)) > 1 and not row[0].startswith("#"):
            return number
    return 0


def _is_title(row: list[str]) -> bool:
    return row != [] and (row[0].startswith("#") or (row[0] != "" and not any(row[1:])))


def _explained(error: InputError, rows: Sequence[list[str]], file: str, delimiter: str) -> InputError:
    """``error``, or what is behind it."""
    if is_data(rows):
        names = ",".join(names_for(rows, len(rows[0])))
        return InputError(
            f"{file}: its first line looks like data and not like a header; name its columns, for example --columns "
            f"{names}"
        )
    others = [character for character in (",", ";", "\t", "|") if character != delimiter and character in rows[0][0]]
    if len(rows[0]) == 1 and others:
        word = {"\t": "tab"}.get(others[0], f"'{others[0]}'")
        return InputError(f"{error}. If {shown(others[0])} stands between the names, pass --delimiter {word}")
    return error


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
