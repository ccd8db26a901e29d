"""First rows of a delimited file that is not read → why, and what to do. Only makes the messages."""

import json
import re
import shlex
from collections.abc import Sequence

from engine.errors import InputError
from engine.inputs.delimited_files.commands import for_sed, python_csv, sed
from engine.inputs.delimited_files.dialect import shown
from engine.inputs.delimited_files.first_rows import has_names, is_data, is_form_header, is_header, names_for
from engine.inputs.messages import counted, listed
from engine.inputs.shapes.likely_text import columns_of, with_example
from engine.inputs.shapes.marks import marked_columns, way_of_marks
from engine.inputs.shapes.other_rows import other_rows

_DELIMITERS = (",", ";", "\t", "|", "^", "~", "\x01")
LIKE_DATA = "looks like data and not like a header"
_NOT_FOUND = "no column looks like"
_LONG_DELIMITER = re.compile(r"(?<=\w)[^\w\s\"'()\[\]{}.-]{2,4}(?=\w)")
_OPEN, _CLOSED = "“„", "”“"
_SHOWN = 200  # characters of a line


def explained(error: InputError, rows: Sequence[list[str]], file: str, delimiter: str) -> InputError:
    """``error``, or what is behind it."""
    first = "".join(rows[0]).lstrip()
    if first.startswith(("{", "[{", "[")):
        return InputError(f"{file}: its first line looks like JSON; let its name end in .jsonl, or in .json")
    if first.startswith("<"):
        return InputError(f"{file}: its first line looks like HTML or XML and not like a header; save its table as CSV")
    if _NOT_FOUND in str(error) and (way := other_rows(rows, file)):
        return InputError(f"{error}. If {way}")
    if "looks like the label" in str(error) and (marked := _marked(rows)):
        return InputError(f"{error}. If {listed(map(repr, marked))} are classes, {way_of_marks(file, marked)}")
    if is_data(rows):
        return _of_data(error, rows, file)
    error = with_example(error, columns_of([name.strip() for name in rows[0]], rows[1:]))
    if way := _other_way(rows, file, delimiter):
        return InputError(f"{file}: {way}")
    if len(rows[0]) == 1 and delimiter in rows[0][0]:
        return InputError(
            f"{file}: its lines are quoted as a whole ({rows[0][0][:_SHOWN]}); take away the quotation marks around "
            f"them and the doubling of those inside, with: {python_csv(_unquoted(delimiter), file)}"
        )
    others = [character for character in _DELIMITERS if character != delimiter and character in rows[0][0]]
    if len(rows[0]) == 1 and others:
        word = {"\t": "tab"}.get(others[0], repr(others[0]))
        return InputError(f"{error}. If {shown(others[0])} stands between the names, pass --delimiter {word}")
    if _NOT_FOUND in str(error) and (len(rows[0]) == 1 or not (is_header(rows) or has_names(rows))):
        names = names_for(rows, len(rows[0])) if len(rows[0]) > 1 else "text"
        return InputError(f"{error}; or, if its first line is data, name the columns, for example --columns {names}")
    return error


def _of_data(error: InputError, rows: Sequence[list[str]], file: str) -> InputError:
    """An error: the first of ``rows`` is data, or, if ``error`` is that a column is missing, a header of questions."""
    question = _question(rows) if _NOT_FOUND in str(error) else None
    if question is None:
        return no_header(rows, file)
    example = f", as --text {shlex.quote(question)}" if "--text" in str(error) else ""
    names = names_for(rows, len(rows[0]))
    return InputError(f"{error}{example}; or, if its first line is data, pass --columns, as --columns {names}")


def _question(rows: Sequence[list[str]]) -> str | None:
    """The name of the column of texts, if the first of ``rows`` is a header with questions in it, as of a form."""
    names, below = [name.strip() for name in rows[0]], [row for row in rows[1:] if len(row) == len(rows[0])]
    if not is_form_header(rows) or len(below) < 1 or len(names) < 2:
        return None
    return names[names_for(below, len(names)).split(",").index("text")]


def _marked(rows: Sequence[list[str]]) -> list[str]:
    """Columns in which the class of each row is marked."""
    values = zip(*(row for row in rows[1:] if len(row) == len(rows[0])), strict=True)
    return marked_columns(dict(zip(rows[0], values, strict=False)))


def _unquoted(delimiter: str) -> str:
    """In Python: the rows of a file whose lines are quoted as a whole."""
    inside = f"next(csv.reader(row[0].splitlines(True), delimiter={json.dumps(delimiter)}))"
    return (
        f"{inside} if len(row) == 1 else row for row in csv.reader(sys.stdin, delimiter={json.dumps(delimiter)}) if row"
    )


def no_header(rows: Sequence[list[str]], file: str) -> InputError:
    """An error: the first line is data."""
    return InputError(
        f"{file}: its first line {LIKE_DATA}; name its columns, for example --columns {names_for(rows, len(rows[0]))}"
    )


def first_name_missing(names: int, rows: Sequence[list[str]], width: int, file: str, delimiter: str) -> InputError:
    """An error: the header has fewer names than each row has fields, as where R wrote the names of rows without one.

    Args:
        names: how many.
        rows: the first ones below it.
        width: number of their fields.
        file: for messages.
        delimiter: between the fields.
    """
    words = f"{file}: its header has {counted(names, 'name')} and each row {counted(width, 'field')}; "
    if width > names + 1:
        return InputError(f"{words}write a name for each field into it, for example {names_for(rows, width)}")
    between = for_sed(delimiter)
    way = sed(f'1{{s/^"/"row_name"{between}"/;t;s/^/row_name{between}/}}', file)
    return InputError(f"{words}give the first field a name, or write one for each into the header. With {way}")


def not_at_edges(line: str, file: str, delimiter: str) -> InputError:
    """An error: the quotation marks of the first line do not stand at the edges of its fields."""
    words = f"{file}: the first line is no CSV header: its quotation marks are not at edges"
    between = re.escape(delimiter)
    if re.search(rf'" +{between} *"', line):
        mark = for_sed(delimiter)
        way = sed(f's/" *{mark} *"/"{mark}"/g', file)
        return InputError(f"{words}, but before white space and {shown(delimiter)}. Take that away, with {way}")
    return InputError(f"{words} (--quote none keeps them)")


def _other_way(rows: Sequence[list[str]], file: str, delimiter: str) -> str:
    """What to do if fields are told apart in a way that no option says, or only one that has to be said."""
    line = delimiter.join(rows[0])
    edges = {(name[:1], name[-1:]) for name in rows[0]}
    if edges == {("'", "'")}:
        quote = "\\'" if any("\\'" in field for row in rows for field in row) else "'"
        return f'apostrophes stand around its names ({line[:_SHOWN]}); if around all fields, pass --quote "{quote}"'
    if all(start and start in _OPEN and end in _CLOSED for start, end in edges):
        marks = dict.fromkeys(mark for edge in edges for mark in edge)
        way = sed('s/"/""/g; ' + "; ".join(f's/{mark}/"/g' for mark in marks), file)
        return f"typographic quotation marks stand around its names ({line[:_SHOWN]}); make them straight, with {way}"
    found = set(_LONG_DELIMITER.findall(line))
    mark = found.pop() if len(found) == 1 else ""
    everywhere = all(mark in delimiter.join(row) for row in rows if any(row))
    if mark.strip(delimiter) and everywhere and (len(rows[0]) == 1 or delimiter == "|"):
        way = sed(rf"s/{for_sed(mark)}/\t/g", file, ".tsv")
        return f"{mark} seems to stand between its fields ({line[:_SHOWN]}); make it a tab, with {way}"
    return ""
