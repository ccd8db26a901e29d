"""First rows of a delimited file → which of them is the header, and which column is what. Or why there is none."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, Columns, find_columns
from engine.inputs.delimited_files.first_rows import describing_rows, has_names, is_data, names_for
from engine.inputs.delimited_files.no_header import explained, first_name_missing, no_header
from engine.inputs.messages import counted
from engine.inputs.shapes.other_rows import other_rows

_TITLE_ROWS, _GROUP_ROWS = 10, 3
_AGAIN = 0.05


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

    @property
    def last_text(self) -> str:
        """The column of the text that stands last."""
        return max(self.columns.texts, key=lambda name: self.columns.places.get(name, -1))

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.fields)

    def may_be_in(self, columns: Sequence[Sequence[str | None]]) -> bool:
        """Whether rows of these ``columns`` may repeat the header, as files do that were put together."""
        place = 0 if self.width - 1 in self.columns.places_of_texts else -1  # a text is long to compare
        return self.width > 1 and bool(self.fields) and not self._names.isdisjoint(columns[place])

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
    described = describing_rows(rows)
    rows = [rows[0], *rows[1 + described :]]
    try:
        header = Header(columns=find_columns(rows[0], wanted, file=file), width=len(rows[0]), rows=1, fields=rows[0])
    except InputError as error:
        below = _below_title(rows, wanted, file)
        if below is None:
            raise explained(error, rows, file, delimiter) from None
        header = below
    if header.rows == 1:
        header = _below_groups(rows, wanted, file) or header
    if wanted.text is None and _text_is_again(header, rows[header.rows :]):
        raise no_header(rows, file)
    for text in header.columns.texts if header.rows == 1 else ():
        if way := other_rows(rows, file, text):
            raise InputError(f"{file}: {way}")
    if len(rows) > header.rows and _is_line(rows[header.rows]):
        header = dataclasses.replace(header, rows=header.rows + 1)
    data = rows[header.rows :]
    described += (more := describing_rows(rows[header.rows - 1 :]))
    _check_width(header.width, data[more:], file, delimiter)
    return dataclasses.replace(header, rows=header.rows + described)


def header_of(
    names: tuple[str, ...], rows: Sequence[list[str]], wanted: ColumnNames, *, file: str, delimiter: str
) -> Header:
    """The header of a file that has none.

    Args:
        names: of the columns.
        rows: the first ones.
        wanted: column names that the user gave.
        file: for messages.
        delimiter: between the fields.

    Raises:
        InputError: no row has as many fields, the file has this header, or a column that is needed is not in it.
    """
    if rows and (_names(rows[0]) == _names(names) or _is_header(rows, file) or has_names(rows)):
        _check_width(len(rows[0]), rows[1:], file, delimiter)
        shown_names = ",".join(rows[0])[:200]
        way = f"leave --columns out{_said_of(names, rows[0], wanted, file)}"
        raise InputError(f"{file}: its first line is a header ({shown_names}); {way}")
    counts = [len(row) for row in rows if row]
    if counts and len(names) not in counts:
        width = max(set(counts), key=counts.count)
        raise InputError(
            f"{file}: --columns names {counted(len(names), 'column')} and the rows have {counted(width, 'field')}; "
            f"name all of them, for example --columns {names_for(rows, width)}"
        )
    columns = dataclasses.replace(find_columns(list(names), wanted, file=file), said=names)
    return Header(columns=columns, width=len(names), rows=0)


def _said_of(names: tuple[str, ...], header: list[str], wanted: ColumnNames, file: str) -> str:
    """The flags that say of a ``header`` the same as ``names`` do; none if they are not needed."""
    try:
        columns = find_columns(list(names), wanted, file=file)
    except InputError:
        return ""
    chosen = {"text": columns.texts, "id": (columns.id,), "label": (columns.label,)}
    said = {
        what: tuple(header[columns.places[name]].strip() for name in some if name in columns.places)
        for what, some in chosen.items()
    }
    pairs = [f"--{what} {shlex.quote(','.join(some))}" for what, some in said.items() if some and some != chosen[what]]
    return f" and pass {' '.join(pairs)}" if pairs else ""


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


def _check_width(names: int, rows: Sequence[list[str]], file: str, delimiter: str) -> None:
    """Refuse a file none of whose rows has a field for each of the ``names`` of its header.

    Raises:
        InputError: it is one.
    """
    widths = {len(row) for row in rows if row}
    if len(rows) > 1 and len(widths) == 1 and (width := widths.pop()) > names > 1 and _filled(rows, width):
        raise first_name_missing(names, rows, width, file, delimiter)


def _filled(rows: Sequence[list[str]], width: int) -> bool:
    """Whether the last field of some row is not empty."""
    return any(row[width - 1] for row in rows if row)


def _below_title(rows: Sequence[list[str]], wanted: ColumnNames, file: str) -> Header | None:
    """The header below rows of a title, a comment or nothing; None if it is not plain that it is there.

    It has more names than any row above it has fields.
    """
    most = 0
    for number, row in enumerate(rows[: _TITLE_ROWS + 1]):
        filled = sum(map(bool, row))
        if filled > max(1, most) and not row[0].startswith("#"):
            header = _header_at(number, rows, wanted, file)
            if header is not None:
                return header
        most = max(most, 0 if row and row[0].startswith("#") else filled)
    return None


def _below_groups(rows: Sequence[list[str]], wanted: ColumnNames, file: str) -> Header | None:
    """The header below names of groups of columns, as merged cells of a sheet leave them; None if there are none.

    Raises:
        InputError: it is there, and a column that is needed is not in it.
    """
    if all(rows[0]):
        return None
    for number, row in enumerate(rows[1 : _GROUP_ROWS + 1], start=1):
        names = {name.strip().lower() for name in row} - {""}
        if len(row) == len(rows[0]) == len(names) and any(
            _header_at(number, rows, some, file) for some in (wanted, ColumnNames())
        ):
            return Header(columns=find_columns(row, wanted, file=file), width=len(row), rows=number + 1, fields=row)
    return None


def _header_at(number: int, rows: Sequence[list[str]], wanted: ColumnNames, file: str) -> Header | None:
    row, below = rows[number], rows[number + 1 :]
    try:
        columns = find_columns(row, wanted, file=file)
    except InputError:
        return None
    alike = sum(len(other) == len(row) for other in below)
    if is_data(rows[number:]) or alike * 2 < len(below):
        return None
    return Header(columns=columns, width=len(row), rows=number + 1, fields=row)


def _is_line(row: list[str]) -> bool:
    """Whether ``row`` is a line that is drawn under a header, as of dashes."""
    return "--" in "".join(row) and set("".join(row)) <= set("-=:+| ")
