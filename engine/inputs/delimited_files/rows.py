"""Lines of a delimited file → its rows, each with the reason why it is refused, if it is.

A row that cannot be parsed loses the lines up to the next one that looks like a row, and no more.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator

from engine.inputs.blocks import BLOCK_BYTES, BLOCK_ROWS, Reason
from engine.inputs.delimited_files.dialect import Dialect, shown
from engine.inputs.delimited_files.shape import Shape
from engine.inputs.delimited_files.tape import TOO_LONG, Tape
from engine.inputs.lines import LINE_BYTES
from engine.inputs.messages import counted

Fields = list[str]

SWALLOWED = "a quoted field takes in whole lines that look like rows; mend the quotation mark that opens it"
_NEVER_CLOSED = "a quotation mark is never closed"
_CUT = "the line below has too few fields, and looks like the rest of this row"
_CUT_BY_DELIMITER = (
    "it has more fields than most rows, and looks like one with a delimiter in its text; put quotation marks around it"
)
COUNT = re.compile(r"\(\d+ rows?( affected)?\)|\d+ rows? (selected\.?|in set.*)", re.IGNORECASE)
COUNT_WORDS = "it looks like the number of rows, as a database prints it below them; leave it out"
_SECOND_LINE = "it looks like the second line of the row above; put quotation marks around a text of several lines"
_CUT_BY_LINE = "the line below looks like the rest of this row; put quotation marks around a text of several lines"
_AFTER_BROKEN = "the row before it is broken, and this one may be the rest of it"
_NOT_AT_END = "a quotation mark closes a field, and more text follows it; inside a field it has to be doubled"


class Rows:
    """Some rows of a file, after the first ones, which are no data.

    Attributes:
        fields: of each row; nothing of one that is refused.
        problems: why rows are refused, by their places here.
    """

    def __init__(self, skip: int = 0) -> None:
        self.fields: list[Fields] = []
        self.problems: dict[int, Reason] = {}
        self._skip = skip

    def add_refused(self, problem: Reason) -> None:
        """One more, which is refused."""
        self.problems[len(self.fields)] = problem
        self.fields.append([])

    def refuse_last(self, words: str) -> None:
        """Refuse the row that was added last, if it is not."""
        if self.fields and self.fields[-1]:
            self.problems[len(self.fields) - 1] = Reason(words)
            self.fields[-1] = []

    def refuse(self, is_bad: Callable[[Fields], bool], words: str) -> None:
        """Refuse those that are ``is_bad``."""
        for place, fields in enumerate(self.fields):
            if fields and is_bad(fields):
                self.problems[place] = Reason(words)
                self.fields[place] = []

    def refuse_second_lines(self, places: Iterable[int], shape: Shape) -> bool:
        """Refuse those at ``places`` that are the second line of the row above, and that one. Whether there are any."""
        lines = [place for place in places if shape.is_second_line(self.fields[place])]
        for place in lines:
            for end, words in ((place, _SECOND_LINE), (place - 1, _CUT_BY_LINE)):
                if end >= 0 and self.fields[end]:
                    self.problems[end] = Reason(words)
                    self.fields[end] = []
        return bool(lines)

    def data(self) -> "Rows":
        """Themselves without those that are no data."""
        skip, self._skip = self._skip, 0
        self.fields = self.fields[skip:]
        self.problems = {place - skip: problem for place, problem in self.problems.items() if place >= skip}
        return self


class RowReader:
    """Rows of a file. Without a shape they have any number of fields, and a malformed one loses its first line only."""

    def __init__(self, tape: Tape, dialect: Dialect, shape: Shape | None = None) -> None:
        self._tape, self._dialect, self._shape = tape, dialect, shape
        self._broken = self._short = False

    def blocks(self, *, skip: int = 0) -> Iterator[Rows]:
        """All of them after the first ``skip``, some at a time; a line of nothing but white space is none."""
        tape, width = self._tape, -1 if self._shape is None or self._shape.most_short else self._shape.width
        found, enough, limit = Rows(skip), BLOCK_ROWS + skip, tape.characters + BLOCK_BYTES
        while True:
            if len(found.fields) >= enough:
                yield found.data()
                found, enough = Rows(), BLOCK_ROWS
            base = at = tape.at
            reader = self._dialect.fields(tape.lines())
            try:
                for fields in reader:
                    after, problem = base + reader.line_num, None
                    if len(fields) != width or after - at > 1 or self._broken:
                        fields, problem = self._judged(fields, after - at, found)
                    if len(found.fields) >= enough or tape.characters >= limit:
                        yield found.data()
                        found, enough, limit = Rows(), BLOCK_ROWS, tape.characters + BLOCK_BYTES
                    if fields:
                        found.fields.append(fields)
                    elif problem is not None:
                        found.add_refused(problem)
                    tape.at = at = after
            except csv.Error as error:
                found.add_refused(self._lost(str(error)))
                continue
            yield found.data()
            return

    def _judged(self, fields: Fields, lines: int, found: Rows) -> tuple[Fields, Reason | None]:
        """A row that is of several lines or of another number of fields than the header, and the problem with it.

        One with too few fields may be the rest of the last row that was ``found``.
        """
        if lines == 1 and len(fields) < 2 and not "".join(fields).strip():
            return [], None
        if self._shape is None:
            return fields, None
        first_line = self._tape.at + 1
        if lines > 1 and self._shape.swallowed(self._tape.held(lines), self._dialect):
            return [], Reason(SWALLOWED, lines=lines, first_line=first_line)
        fitted = fields if len(fields) == self._shape.width else self._shape.fitted(fields)
        if fitted is None and len(fields) == 1 and COUNT.fullmatch(fields[0].strip()):
            return [], Reason(COUNT_WORDS, lines=lines, first_line=first_line)
        if fitted is None:
            self._broken, self._short = True, len(fields) < self._shape.width
            if self._shape.is_rest(fields):
                found.refuse_last(_CUT)
            return [], Reason(self._ragged(len(fields)), lines=lines, first_line=first_line)
        short, self._short = self._short, False
        self._broken = self._broken and self._may_be_rest(fields, self._shape)
        if self._broken or (short and self._shape.open_start):
            return [], Reason(_AFTER_BROKEN, lines=lines, first_line=first_line)
        if self._shape.is_cut(fitted):
            return [], Reason(_CUT_BY_DELIMITER, lines=lines, first_line=first_line)
        return fitted, None

    def _may_be_rest(self, fields: Fields, shape: Shape) -> bool:
        """Whether a row of as many fields as there should be may be the rest of a broken one before it."""
        quote = self._dialect.quote
        return not shape.fits(fields) or (quote != "" and any(field.count(quote) % 2 for field in fields))

    def _ragged(self, count: int) -> str:
        words = f"the row has {counted(count, 'field')} and the header {self._shape.width if self._shape else 0:,}"
        if self._shape and self._shape.width == 1:
            return f"{words}; pass --delimiter tab if {shown(self._dialect.delimiter)} may stand in a text"
        return words

    def _lost(self, error: str) -> Reason:
        """Why the row here cannot be parsed; goes on to the next line that looks like a row."""
        tape, first = self._tape, self._tape.at
        words = _NOT_AT_END if "expected after" in error else TOO_LONG if error == TOO_LONG else _NEVER_CLOSED
        if tape.line(first) is None:
            words = f"the line is longer than {LINE_BYTES:,} bytes"
        self._broken = True
        self._short = self._shape is not None and not self._shape.fits_line(tape.line(first) or "", self._dialect)
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
