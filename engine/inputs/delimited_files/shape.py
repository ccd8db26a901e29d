"""Rows of a sample → what a row of the file looks like, to tell a row from lines that a quotation mark swallowed.

A review of several lines inside of quotation marks may hold as many commas as the file has; what it does not have is
a number where all ids are numbers, or one of the file's labels where the label is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.inputs.delimited_files.dialect import Dialect

_SEEN, _SEEN_OFTEN = 3, 8
_MOST, _FEW = 0.9, 0.1


@dataclass(frozen=True, kw_only=True)
class ColumnShape:
    """What most values of one column have in common. A few of them may be of rows that are broken.

    Attributes:
        empty: some are.
        spaced: some begin with a space, as prose does behind a comma.
        number: they are numbers.
        word: they have no white space.
        digit: they have a digit and no white space, as ids have.
        flush: no more than one begins with a space.
        values: those that come again, where almost all do.
    """

    empty: bool = True
    spaced: bool = False
    number: bool = False
    word: bool = False
    digit: bool = False
    flush: bool = False
    values: frozenset[str] | None = None

    @classmethod
    def of(cls, values: Sequence[str]) -> "ColumnShape":
        """That of ``values``."""
        filled = [value for value in values if value]
        times = Counter(filled)
        again = frozenset(value for value in times if times[value] > 1)
        most, few = max(_SEEN, _MOST * len(filled)), _FEW * len(filled)
        covered = sum(times[value] for value in again)
        word = sum(map(_is_word, filled)) >= most
        spaced = sum(value[0] == " " for value in filled)
        return cls(
            empty=len(values) - len(filled) > _FEW * len(values) or not values,
            spaced=spaced > few,
            flush=spaced <= 1 < _SEEN < len(filled),
            number=sum(map(is_number, filled)) >= most,
            word=word,
            digit=word and sum(map(_has_digit, filled)) >= max(_SEEN, min(most, len(filled) - 1)),
            values=again if covered >= max(_SEEN_OFTEN, most) else None,
        )

    def fits(self, value: str) -> bool:
        """Whether ``value`` may be one of the column."""
        if not value:
            return self.empty
        return (self.values is None or value in self.values) and self.is_alike(value)

    def is_alike(self, value: str) -> bool:
        """Whether ``value`` is of the column's kind, be it a new one. It is not empty."""
        if self.number and not is_number(value):
            return False
        if self.digit and not _has_digit(value):
            return False
        return (self.spaced or value[0] != " ") and (not self.word or _is_word(value))


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a row looks like.

    Attributes:
        width: number of fields.
        least: number of fields that a row has at least, where empty ones at its end may be left out.
        columns: one for each field.
        start: what a row begins with, as the quotation mark where all of them have one.
        open_start: the first field is the text, and a line may be the rest of one before it that is too short.
        open_end: the last field is the text, and a line that is too short may be the rest of it.
        ended: almost each line ends in a delimiter behind its last field.
        most_short: fields behind the ones that most rows have are rare, and may be the rest of a text with a delimiter.
    """

    width: int
    least: int
    columns: tuple[ColumnShape, ...]
    start: str = ""
    open_start: bool = False
    open_end: bool = False
    ended: bool = False
    most_short: bool = False

    @classmethod
    def of(cls, rows: Iterable[list[str]], width: int, *, needed: int, may_be_short: bool = False) -> "Shape":
        """That of the ``rows`` of a sample.

        Args:
            rows: of any number of fields.
            width: number of fields of the header.
            needed: how many fields there must be so that the row has a text and an id.
            may_be_short: whether most rows may leave out fields at their end. To compare dialects, they may not: each
                line of a text that a wrong one cuts is such a row.
        """
        rows = [row for row in rows if row]
        full = [row[:width] for row in rows if len(row) >= width and not any(row[width:])]
        short = [row for row in rows if needed <= len(row) < width]
        least = min(map(len, rows), default=width)
        ordinary = [row for row in short if len(row) == least > needed]
        most_short = may_be_short and len(ordinary) > len(full) > 0
        left = [row + [""] * (width - len(row)) for row in (ordinary if most_short else short)]
        known = left if most_short else full or left
        columns = tuple(ColumnShape.of([row[place] for row in known]) for place in range(width))
        least = min(map(len, short), default=width)
        left_out = all(column.empty for column in columns[least:])
        fit = all(column.fits(value) for row in short for column, value in zip(columns, row, strict=False))
        return cls(
            width=width,
            least=least if left_out and fit else width,
            columns=columns,
            ended=sum(len(row) > width and not any(row[width:]) for row in rows) >= _MOST * len(rows),
            most_short=most_short,
        )

    def fitted(self, fields: list[str]) -> list[str] | None:
        """``fields`` as many as there are columns; None if they are no row."""
        if len(fields) > self.width:
            cut = not any(fields[self.width :]) and (self.ended or self._is_last(fields[self.width - 1]))
            return fields[: self.width] if cut else None
        if len(fields) >= self.least:
            return fields + [""] * (self.width - len(fields))
        return None

    def _is_last(self, value: str) -> bool:
        """Whether ``value`` is plainly one of the last column, and not the rest of a text with a delimiter in it."""
        last = self.columns[-1] if value else ColumnShape()
        return (last.number or last.values is not None) and last.fits(value)

    def is_cut(self, fields: list[str]) -> bool:
        """Whether a text with a delimiter in it makes ``fields`` as many as there are columns."""
        alike = all(not value or column.is_alike(value) for column, value in zip(self.columns, fields, strict=True))
        return self.most_short and not alike

    def is_second_line(self, fields: list[str]) -> bool:
        """Whether ``fields``, whose text begins with a space as no other does, do not begin as rows do.

        They are the second line of a text without quotation marks then, in which a delimiter stands.
        """
        odd = fields[0] != "" and not self.columns[0].fits(fields[0])
        return self.may_have_breaks and fields[-1].startswith(" ") and odd

    @property
    def may_have_breaks(self) -> bool:
        """Whether `is_second_line` may be said of a row."""
        return self.open_end and self.columns[-1].flush

    def fits(self, fields: list[str]) -> bool:
        """Whether ``fields`` look like a row of the file."""
        fitted = self.fitted(fields)
        return fitted is not None and all(map(ColumnShape.fits, self.columns, fitted))

    def is_rest(self, fields: list[str]) -> bool:
        """Whether ``fields``, which are too few, look like the rest of the row before them and not like a row."""
        fit = all(column.fits(value) for column, value in zip(self.columns, fields, strict=False))
        return self.open_end and len(fields) < self.width and not fit

    def swallowed(self, lines: Sequence[str], dialect: Dialect) -> bool:
        """Whether ``lines``, which are one row if their quotation marks mean something, look like rows themselves."""
        if self.width == 1 or len(lines) < 2 or not lines[1].startswith(self.start):
            return False
        ends = self._may_be_ends(lines[0], lines[-1], dialect.delimiter) and (
            self.fits(_opened(lines[0], dialect)) and self.fits(_closed(lines[-1], dialect))
        )
        if not ends and len(lines) < 5:
            return False
        inner = [self.fits_line(line, dialect) for line in lines[1:-1]]
        return sum(inner) * 2 >= len(inner) if ends else sum(inner) * 5 >= len(inner) * 4

    def _may_be_ends(self, first: str, last: str, delimiter: str) -> bool:
        """Whether the last field of one line and the first one of another fit; quicker than to look at all."""
        before, _, end = first.rstrip("\r\n").rpartition(delimiter)
        start, _, behind = last.partition(delimiter)
        if self.least < self.width or delimiter == " ":
            return True
        return bool(before and behind) and self.columns[-1].fits(end) and self.columns[0].fits(start)

    def fits_line(self, line: str, dialect: Dialect) -> bool:
        """Whether ``line`` looks like a row, whatever its quotation marks mean."""
        return self.fits(dialect.split(line)) or self.fits(_lenient(line, dialect))


def _is_word(value: str) -> bool:
    return not any(map(str.isspace, value))


def _has_digit(value: str) -> bool:
    return any(map(str.isdigit, value))


def is_number(value: str) -> bool:
    """Whether ``value`` is one, as ``-1.5``."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def _opened(line: str, dialect: Dialect) -> list[str]:
    """The fields of a line that ends inside of quotation marks, if the one that opens the last field means nothing."""
    *fields, last = _lenient(line, dialect)
    return [*fields, *dialect.split(dialect.quote + last)]


def _closed(line: str, dialect: Dialect) -> list[str]:
    """The fields of a line that begins inside of quotation marks, if the one that closes its first field does not."""
    first, *fields = _lenient(dialect.quote + line, dialect)
    return [*dialect.split(first + dialect.quote), *fields]


def _lenient(line: str, dialect: Dialect) -> list[str]:
    return next(iter(dialect.fields([line], strict=False)), [""])
