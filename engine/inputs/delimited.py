"""Delimited files (CSV, TSV and their relatives) → raw blocks, in bounded memory.

What the user does not say of a file is found out from its first mebibyte. An empty line is no row. A row longer than
`LINE_BYTES` is refused, and so is what cannot be parsed; the rows behind it are read.
"""

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.blocks import RawBlock
from engine.inputs.columns import ColumnNames
from engine.inputs.delimited_files.backslashes import refuse_backslashes
from engine.inputs.delimited_files.commands import unescaped
from engine.inputs.delimited_files.dialect import SEP_LINE, Dialect, shown
from engine.inputs.delimited_files.find_dialect import find_dialect, rows_in
from engine.inputs.delimited_files.first_rows import before_cut, has_index, without_names
from engine.inputs.delimited_files.footers import refuse_footer
from engine.inputs.delimited_files.header import Header, header_of
from engine.inputs.delimited_files.no_header import not_at_edges
from engine.inputs.delimited_files.odd_headers import header_in
from engine.inputs.delimited_files.rows import RowReader, Rows
from engine.inputs.delimited_files.shape import Shape
from engine.inputs.delimited_files.tape import Tape, decoded, encoded, lines_in, runs_of_lines
from engine.inputs.delimited_files.values import Values, Writing
from engine.inputs.labels.names.codes_in_name import names_in_name
from engine.inputs.lines import LINE_BYTES, encoding_notes, find_encoding, open_lines
from engine.inputs.options import Reading, ReadOptions
from engine.inputs.paths.shell_commands import command

_TABS = re.compile(r"\.(tsv|txt)(\.\w+)?$", re.IGNORECASE)
_OF_LABELS = frozenset(("label", "labels", "class", "classes"))
_WHOLE_SAMPLE = 1 << 16
_ALL, _FEW = 0.9, 0.25
_RUN_OVER = (
    "it has a value in a column without a name, where few rows have one: its text may have a delimiter in it; put "
    "quotation marks around the text"
)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a file is read.

    Attributes:
        dialect: how fields are told apart.
        header: which column is what, and where the rows begin.
        shape: what a row looks like.
        writing: how values are written.
        rare: places of columns without a name, but the first, in which few rows have a value.
        unnamed: whether other such columns have values.
        has_index: whether the first column has no name, and more than the numbers of its rows.
        sep: its first line names the delimiter, as spreadsheets write it.
    """

    dialect: Dialect
    header: Header
    shape: Shape
    writing: Writing
    rare: tuple[int, ...]
    unnamed: bool
    has_index: bool
    sep: bool


def read_csv(file: str, wanted: ColumnNames, options: ReadOptions, notes: tuple[str, ...] = ()) -> Iterator[RawBlock]:
    """The rows of a delimited file; none of an empty one.

    Args:
        file: where it is.
        wanted: column names that the user gave.
        options: what is known of it.
        notes: what a user has to know of the options that were found out before.

    Raises:
        InputError: it has no header, or a column is missing.
    """
    if options.whole_files:
        raise InputError(f"{file}: --whole-files is for text files, and this one has rows")
    csv.field_size_limit(2 * LINE_BYTES)
    encoding = find_encoding(file, options.encoding)
    with open_lines(file, options.encoding) as source:
        lines, old_mac = _sample(source)
        if not any(line.strip() for line in lines):
            return
        layout = _find_layout(lines, wanted, options, file)
        delimiter, quote = layout.dialect.words
        found = ReadOptions(delimiter=delimiter, quote=quote, encoding=encoding, names=options.names or ())
        notes = (*encoding_notes(file, options.encoding, encoding), *notes, *_notes(layout, options, file))
        label = None if options.names_numbers else layout.header.columns.label
        if classes := _classes_above(lines, label) if label else ():
            words = ", ".join(f"{number} is {name}" for number, name in enumerate(classes))
            notes += (f"{file}: a comment above its header names its labels: {words}",)
        reading = Reading(columns=layout.header.columns, options=found, classes=classes or None, notes=notes)
        tape = Tape(runs_of_lines(source, layout.dialect.prepared(), old_mac=old_mac))
        if layout.sep:
            tape.skip_line()
        rows = RowReader(tape, layout.dialect, layout.shape)
        yield from _blocks(rows, layout, reading, file)


def _sample(source: io.BufferedReader) -> tuple[list[str], bool]:
    r"""The first lines of ``source``, which stays where it is; and whether they end in ``\r``."""
    data = source.peek()
    cut = data.rfind(b"\n") + 1 if len(data) > _WHOLE_SAMPLE else 0
    old_mac = re.match(rb"[^\r\n]*\r(?!\n)", data) is not None
    return lines_in(decoded(data[: cut or len(data)], old_mac=old_mac)), old_mac


def _find_layout(lines: Sequence[str], wanted: ColumnNames, options: ReadOptions, file: str) -> _Layout:
    sep, given = SEP_LINE.fullmatch(lines[0]), lines
    lines = lines[1:] if sep else lines
    said = options if options.delimiter or not sep else dataclasses.replace(options, delimiter=sep[1])
    dialect = find_dialect(lines, said, likely="\t" if _TABS.search(file) else ",")
    rows = rows_in(lines, dialect)
    if options.quote is None:
        refuse_backslashes(lines, rows, dialect, file, width=len(options.names or (rows[0] if rows else ())))
    if not rows or not (rows[0] or options.names):
        raise not_at_edges(lines[0], file, dialect.delimiter)
    if options.names:
        header = header_of(options.names, rows, wanted, file=file, delimiter=dialect.delimiter)
    else:
        header = header_in(rows, given, wanted, file=file, dialect=dialect)
    columns = header.columns
    texts = columns.places_of_texts
    needed = 1 + max(*texts, columns.places.get(columns.id or "", 0), 0)
    known = before_cut(rows[header.rows :], header.width)
    shape = Shape.of(known, header.width, needed=needed, may_be_short=True)
    all_marked = dialect.quote and sum(line.startswith(dialect.quote) for line in lines) >= _ALL * len(rows)
    shape = dataclasses.replace(
        shape,
        start=dialect.quote if all_marked else "",
        open_start=0 in texts and header.width > 1,
        open_end=header.width - 1 in texts and header.width > 1,
    )
    writing = Writing.of(rows[header.rows :], lines, texts, dialect)
    filled = without_names(header.fields, rows[header.rows :])
    return _Layout(
        dialect=dialect,
        header=header,
        shape=shape,
        writing=writing,
        rare=tuple(place for place, share in filled.items() if share <= _FEW),
        unnamed=any(share > _FEW for share in filled.values()),
        has_index=has_index(header.fields, rows[header.rows :]),
        sep=sep is not None,
    )


def _classes_above(lines: Sequence[str], label: str) -> tuple[str, ...]:
    """The names that comments above the header give to numbers in the column ``label``; none if they give none."""
    for line in itertools.takewhile(lambda line: line.startswith("#"), lines):
        words = {*re.split(r"[\W_\d]+", line.partition("=")[0].lower())} - {""}
        if not words or words & {*_OF_LABELS, label.lower()}:
            names = names_in_name(line)
            if names:
                return names
    return ()


def _notes(layout: _Layout, options: ReadOptions, file: str) -> Iterator[str]:
    """What is out of the ordinary."""
    dialect = layout.dialect
    ordinary = "\t" if _TABS.search(file) else ","
    if options.delimiter is None and dialect.delimiter != ordinary:
        yield f"{file}: read with {shown(dialect.delimiter)} between fields"
    if options.delimiter is None and dialect.skip_space:
        yield f"{file}: read without the white space behind {shown(dialect.delimiter)}"
    if options.quote is None and dialect.escaped:
        yield f"{file}: read with a backslash before quotation marks inside of fields"
    if options.quote is None and dialect.quote == "'":
        yield f"{file}: read with apostrophes around fields"
    if options.quote is None and dialect.quote == '"' and dialect.delimiter == "\t":
        yield f"{file}: read with quotation marks around fields"
    if layout.writing.formulas:
        yield f'{file}: read without the =" and " around values'
    if options.quote is None and layout.writing.escapes:
        yield (
            f"{file}: backslashes are taken as they are; if \\n, \\t or \\' stand for line ends, tabs and apostrophes, "
            f"let Python write it as CSV: {unescaped(file)}; --quote none leaves out this note"
        )
    if layout.unnamed:
        yield f"{file}: columns without a name have values, and are left out"
    yield from _header_notes(layout, file)


def _header_notes(layout: _Layout, file: str) -> Iterator[str]:
    if layout.has_index:
        way = command("""sed -E '1s/^(""|)/index/'""", file, "rows.csv")
        yield f"{file}: the first column has no name and is left out; to keep it, give it one: {way}"
    if layout.header.rows > 1:
        yield f"{file}: read without what stands around the header"


def _blocks(rows: RowReader, layout: _Layout, reading: Reading, file: str) -> Iterator[RawBlock]:
    """Rows → blocks of up to `BLOCK_ROWS` rows, fewer where they pass `BLOCK_BYTES`."""
    header, shape, first_row = layout.header, layout.shape, 1
    for some in rows.blocks(skip=header.rows):
        count = len(some.fields)
        if not count:
            continue
        if layout.rare:
            some.refuse(lambda fields: any(fields[place] for place in layout.rare), _RUN_OVER)
        refuse_footer(some, header.columns.places_of_texts)
        values = _columns(some, header.width)
        if header.may_be_in(values):
            header.check_order(some.fields, first_row, file)
            some.refuse(header.is_again, "the row repeats the header")
            values = _columns(some, header.width)
        data = _data(values, layout)
        if shape.may_have_breaks and some.refuse_second_lines(_spaced(data[header.last_text]), shape):
            data = _data(_columns(some, header.width), layout)
        problems = [some.problems.get(place) for place in range(count)] if some.problems else [None] * count
        yield RawBlock(reading=reading, first_row=first_row, data=data, problems=list(problems))
        first_row += count


def _columns(rows: Rows, width: int) -> list[Values]:
    """The columns of ``rows``; None in those that are refused."""
    lost = [None] * width
    return list(zip(*(fields or lost for fields in rows.fields), strict=True))


def _data(values: list[Values], layout: _Layout) -> dict[str, pa.Array]:
    columns, values = layout.header.columns, layout.writing.meant(values)
    return {name: _array(values[columns.places[name]], empty=name in columns.texts) for name in columns.names()}


def _spaced(texts: pa.Array) -> list[int]:
    """Where a text begins with a space."""
    spaced = pc.starts_with(texts, " ")
    return pc.indices_nonzero(spaced).to_pylist() if pc.any(spaced).as_py() else []


def _array(values: Values, *, empty: bool) -> pa.Array:
    """A column. Fields of no characters are null unless they may be ``empty``."""
    values = values if empty else [value or None for value in values]
    try:
        return pa.array(values, pa.large_binary())
    except UnicodeEncodeError:
        return pa.array([None if value is None else encoded(value) for value in values], pa.large_binary())
