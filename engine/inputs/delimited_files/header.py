"""First rows of a delimited file → which of them is the header, and which column is what. Or why there is none."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, Columns, find_columns
from engine.inputs.delimited_files.dialect import shown
from engine.inputs.delimited_files.shape import is_number
from engine.inputs.messages import counted

_TITLE_ROWS = 10
_LONG_NAME, _SENTENCE_WORDS = 80, 5
_DELIMITERS = (",", ";", "\t", "|", "^", "~", "\x01")
_LABEL_LENGTH = 40
_SHOWN_NAMES = 20
_AGAIN = 0.05
_DESCRIBING_ROWS = 2
_OF_SURVEYS = ('{"ImportId":', "Open-Ended Response")  # in rows below the header that Qualtrics and SurveyMonkey write

_NOT_FOUND = "no column looks like"


@dataclass(frozen=True, kw_only=True)
class Header:
    """Where the rows of a file begin, and what is in them.

    Attributes:
        columns: which column is what.
        width: number of fields.
        rows: how many rows stand before the first one of data.
        fields: of the header itself; none if the file has none.
    """

    columns: Columns
    width: int
    rows: int
    fields: list[str] = field(default_factory=list)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.fields)

    def may_be_in(self, columns: Sequence[Sequence[str | None]]) -> bool:
        """Whether rows of these ``columns`` may repeat the header, as files do that were put together."""
        return self.width > 1 and bool(self.fields) and not self._names.isdisjoint(columns[-1])

    def is_again(self, fields: list[str]) -> bool:
        """Whether a row repeats the header."""
        return fields == self.fields

    def check_order(self, rows: Sequence[Sequence[str]], first_row: int, file: str) -> None:
        """Refuse a file in which a row names the same columns in another order.

        Args:
            rows: some of its rows.
            first_row: number of the first of them.
            file: for messages.

        Raises:
            InputError: one of the rows does.
        """
        names = sorted(self.fields)
        for number, row in enumerate(rows, start=first_row):
            if len(row) == self.width and list(row) != self.fields and sorted(row) == names:
                raise InputError(
                    f"{file} row {number:,}: it is a header with its columns in another order ({','.join(row)[:200]}), "
                    "as in files that were put together; split the file before it, and pass both parts"
                )


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
        header = Header(columns=find_columns(rows[0], wanted, file=file), width=len(rows[0]), rows=1, fields=rows[0])
    except InputError as error:
        below = _below_title(rows, wanted, file)
        if below is None:
            raise _explained(error, rows, file, delimiter) from None
        header = below
    if wanted.text is None and _text_is_again(header, rows[header.rows :]):
        raise _no_header(rows, file)
    if len(rows) > header.rows and _is_line(rows[header.rows]):
        header = dataclasses.replace(header, rows=header.rows + 1)
    for number, row in enumerate(rows[header.rows : header.rows + _DESCRIBING_ROWS], start=1):
        if any(field.startswith(_OF_SURVEYS) for field in row):
            header = dataclasses.replace(header, rows=header.rows + number)
            break
    _check_width(header, rows[header.rows :], file)
    return header


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
    if rows and (_names(rows[0]) == _names(names) or _is_header(rows, file)):
        shown_names = ",".join(rows[0])[:200]
        raise InputError(f"{file}: its first line is a header ({shown_names}); leave --columns out")
    counts = [len(row) for row in rows if row]
    if counts and len(names) not in counts:
        width = max(set(counts), key=counts.count)
        raise InputError(
            f"{file}: --columns names {counted(len(names), 'column')} and the rows have {counted(width, 'field')}; "
            f"name all of them, for example --columns {names_for(rows, width)}"
        )
    return Header(columns=find_columns(list(names), wanted, file=file), width=len(names), rows=0)


def _names(fields: Sequence[str]) -> list[str]:
    return [name.strip().lower() for name in fields]


def _is_header(rows: Sequence[list[str]], file: str) -> bool:
    """Whether the first of ``rows`` names a text, and is not like the others."""
    try:
        find_columns(rows[0], ColumnNames(), file=file)
    except InputError:
        return False
    return not is_data(rows)


def _text_is_again(header: Header, rows: Sequence[list[str]]) -> bool:
    """Whether what seems to be the name of the text is a value that comes again, as a label ``comment`` does."""
    place = header.columns.places.get(header.columns.text)
    if place is None:
        return False
    rows = [row for row in rows if len(row) > place and not header.is_again(row)]
    return sum(row[place] == header.fields[place] for row in rows) > _AGAIN * len(rows)


def _check_width(header: Header, rows: Sequence[list[str]], file: str) -> None:
    """Refuse a file none of whose rows has a field for each name, as where R wrote the names of rows without one.

    Raises:
        InputError: it is one.
    """
    widths = {len(row) for row in rows if row}
    if len(rows) > 1 and len(widths) == 1 and (width := widths.pop()) > header.width > 1 and _filled(rows, width):
        raise InputError(
            f"{file}: its header has {counted(header.width, 'name')} and each row {counted(width, 'field')}; take the "
            f"header away, or name all columns in it, for example {names_for(rows, width)}"
        )


def _filled(rows: Sequence[list[str]], width: int) -> bool:
    """Whether the last field of some row is not empty."""
    return any(row[width - 1] for row in rows if row)


def names_for(rows: Sequence[list[str]], width: int) -> str:
    """Names that the columns of ``rows`` could have: the longest values are texts, the fewest different ones labels."""
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True)) or [("",)] * width
    text = max(range(width), key=lambda place: sum(map(len, columns[place])))
    labels = [place for place in range(width) if place != text and is_label(columns[place])]
    label = min(labels, key=lambda place: len(set(columns[place])), default=1 - text if width == 2 else None)
    names = [{text: "text", label: "label"}.get(place, f"column{place + 1}") for place in range(width)]
    return ",".join(names) if width <= _SHOWN_NAMES else f"{','.join(names[:_SHOWN_NAMES])},… ({width:,} names)"


def is_label(values: Sequence[str], *, most: int | None = None) -> bool:
    """Whether ``values`` look like labels: a few that are short and come again. No more than ``most``."""
    different = set(values)
    few = 1 < len(different) <= (most or len(values)) and len(different) * 2 <= len(values)
    return few and _are_short(different)


def _are_short(values: set[str]) -> bool:
    return all(len(value) <= _LABEL_LENGTH and len(value.split()) < _SENTENCE_WORDS for value in values)


def is_data(rows: Sequence[list[str]]) -> bool:
    """Whether the first of ``rows`` is one like the others, and no header."""
    first, others = rows[0], rows[1:]
    for place, value in enumerate(map(str.strip, first)):
        sentence = len(value.split()) >= _SENTENCE_WORDS and value[-1] in '.!"…'
        again = value and any(place < len(row) and row[place].strip() == value for row in others)
        if again or sentence or len(value) > _LONG_NAME or is_number(value):
            return True
    return False


def _below_title(rows: Sequence[list[str]], wanted: ColumnNames, file: str) -> Header | None:
    """The header below rows of a title, a comment or nothing; None if it is not plain that it is there."""
    if not _is_title(rows[0]):
        return None
    for number, row in enumerate(rows[: _TITLE_ROWS + 1]):
        if sum(map(bool, row)) > 1 and not row[0].startswith("#"):
            try:
                return Header(columns=find_columns(row, wanted, file=file), width=len(row), rows=number + 1, fields=row)
            except InputError:
                return None
    return None


def _is_line(row: list[str]) -> bool:
    """Whether ``row`` is a line that is drawn under a header, as of dashes."""
    return "--" in "".join(row) and set("".join(row)) <= set("-=:+| ")


def _is_title(row: list[str]) -> bool:
    return row != [] and (row[0].startswith("#") or (row[0] != "" and not any(row[1:])))


def _explained(error: InputError, rows: Sequence[list[str]], file: str, delimiter: str) -> InputError:
    """``error``, or what is behind it."""
    first = "".join(rows[0]).lstrip()
    if first.startswith(("{", "[{", "[")):
        return InputError(f"{file}: its first line looks like JSON; let its name end in .jsonl, or in .json")
    if first.startswith("<"):
        return InputError(f"{file}: its first line looks like HTML or XML and not like a header; save its table as CSV")
    if is_data(rows):
        return _no_header(rows, file)
    if len(rows[0]) == 1 and delimiter in rows[0][0]:
        return InputError(f"{error}. Its lines are quoted as a whole: take away the quotation marks around them")
    others = [character for character in _DELIMITERS if character != delimiter and character in rows[0][0]]
    if len(rows[0]) == 1 and others:
        word = {"\t": "tab"}.get(others[0], repr(others[0]))
        return InputError(f"{error}. If {shown(others[0])} stands between the names, pass --delimiter {word}")
    if len(rows[0]) > 1 and _NOT_FOUND in str(error):
        names = names_for(rows, len(rows[0]))
        return InputError(f"{error}; or, if its first line is data, name the columns, for example --columns {names}")
    return error


def _no_header(rows: Sequence[list[str]], file: str) -> InputError:
    return InputError(
        f"{file}: its first line looks like data and not like a header; name its columns, for example --columns "
        f"{names_for(rows, len(rows[0]))}"
    )
