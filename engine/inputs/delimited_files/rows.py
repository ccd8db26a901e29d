"""Lines of a delimited file → its rows, each with the reason why it is refused, if it is.

A row that cannot be parsed loses the lines up to the next one that looks like a row, and no more.
"""

import csv
from collections.abc import Iterator

from engine.inputs.blocks import Reason
from engine.inputs.delimited_files.dialect import Dialect
from engine.inputs.delimited_files.shape import Shape
from engine.inputs.delimited_files.tape import TOO_LONG, Tape
from engine.inputs.lines import LINE_BYTES

Parsed = tuple[list[str], Reason | None]
"""The fields of a row, and why it is refused."""

SWALLOWED = "a quoted field takes in whole lines that look like rows; mend the quotation mark that opens it"
_NEVER_CLOSED = "a quotation mark is never closed"
_AFTER_BROKEN = "the row before it has too few fields, and this one looks like the rest of it"
_NOT_AT_END = "a quotation mark closes a field, and more text follows it; inside a field it has to be doubled"


class RowReader:
    """Rows of a file. Without a shape they have any number of fields, and a malformed one loses its first line only."""

    def __init__(self, tape: Tape, dialect: Dialect, shape: Shape | None = None) -> None:
        self._tape, self._dialect, self._shape = tape, dialect, shape
        self._broken = False

    def __iter__(self) -> Iterator[Parsed]:
        """All of them; a line of nothing but white space is none."""
        tape, width = self._tape, self._shape.width if self._shape else -1
        while True:
            base = at = tape.at
            reader = self._dialect.fields(tape.lines())
            try:
                for fields in reader:
                    after = base + reader.line_num
                    if len(fields) == width and after - at == 1 and not self._broken:
                        yield fields, None
                    elif fields and not (after - at == 1 and fields[1:] == [] and not fields[0].strip()):
                        yield self._judged(fields, after - at)
                    tape.at = at = after
            except csv.Error as error:
                yield [], self._lost(str(error))
                continue
            return

    def _judged(self, fields: list[str], lines: int) -> Parsed:
        """A row that is of several lines or of another number of fields than the header."""
        if self._shape is None:
            return fields, None
        first_line = self._tape.at + 1
        if lines > 1 and self._shape.swallowed(self._tape.held(lines), self._dialect):
            return [], Reason(SWALLOWED, lines=lines, first_line=first_line)
        fitted = self._shape.fitted(fields)
        if fitted is None:
            self._broken = len(fields) < self._shape.width
            words = f"the row has {len(fields):,} fields and the header {self._shape.width:,}"
        elif self._broken and not self._shape.fits(fields):
            words = _AFTER_BROKEN
        else:
            self._broken = False
            return fitted, None
        return [], Reason(words, lines=lines, first_line=first_line)

    def _lost(self, error: str) -> Reason:
        """Why the row here cannot be parsed; goes on to the next line that looks like a row."""
        tape, first = self._tape, self._tape.at
        words = _NOT_AT_END if "expected after" in error else TOO_LONG if error == TOO_LONG else _NEVER_CLOSED
        if tape.line(first) is None:
            words = f"the line is longer than {LINE_BYTES:,} bytes"
        tape.at += 1
        while self._shape is not None and tape.line(tape.at) != "" and not self._row_begins(self._shape):
            tape.at += 1
        return Reason(words, lines=tape.at - first, first_line=first + 1)

    def _row_begins(self, shape: Shape) -> bool:
        """Whether a row that looks like the others begins here, be it malformed."""
        line = self._tape.line(self._tape.at)
        if line is None or shape.fits_line(line, self._dialect):
            return True
        reader = self._dialect.fields(self._tape.lines())
        try:
            fields = next(reader)
        except (csv.Error, StopIteration):
            return False
        return shape.fits(fields) and not shape.swallowed(self._tape.held(reader.line_num), self._dialect)
