"""Plain text → raw blocks: a row a line, or a row a file. Lines that carry labels are read as such, or refused.

Lines of fastText (``__label__good text``) have the label apart from the text; where all lines have a tab in them and
one side is plainly a label, the file is a delimited one.
"""

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

from engine.errors import InputError, MissingColumnError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock, Row, blocks_of_rows, label_count_problem
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns, find_columns
from engine.inputs.delimited import read_csv
from engine.inputs.lines import LINE_BYTES, encoding_notes, find_encoding, open_lines
from engine.inputs.options import FASTTEXT, UNSPLIT, Reading, ReadOptions
from engine.inputs.text_files.ids_in_lines import check_ids
from engine.inputs.text_files.key_value_blocks import check_blocks
from engine.inputs.text_files.labels_between_lines import check_labels_between
from engine.inputs.text_files.labels_in_lines import check_labels
from engine.inputs.text_files.line_ends import runs_of_lines, whole_text
from engine.inputs.text_files.notes import notes_on
from engine.inputs.text_files.other_formats import check_formats, check_words
from engine.inputs.text_files.quoted_lines import Said, one_column
from engine.inputs.text_files.sample import Sample
from engine.inputs.text_files.tables_in_text import check_comments, check_tables, mark_of_table
from engine.inputs.text_files.text_tables import table_of

_MARK = FASTTEXT.encode()
_LABEL = re.compile(rb"(?:^|(?<=\s))" + _MARK + rb"(\S+)")
_LABEL_SHARE = 0.5
_NAME = "text"
"""Of the column that lines without a header have."""
_FEW_LINES = range(2, 21)
_WHOLE_SAMPLE = 1 << 16
_TOO_LONG = f"the line is longer than {LINE_BYTES:,} bytes"
_NO_LABELS = (
    "it has lines of text, which do not show what is the id and what the label; "
    "write it as CSV with the header id,label"
)
_MIXED = r"lines end in \r alone as well as in \n; if texts have a \r in them, take it out: sed 's/\r$//; s/\r/ /g'"
_LATE_LABEL = f"the line begins with {FASTTEXT}, and most lines do not; --delimiter {FASTTEXT} reads such labels"


def read_text(file: str, wanted: ColumnNames, options: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a text file: one a line, unless the options say something else.

    Raises:
        InputError: the lines look like a table, or a column that the user names is not there.
    """
    if options.whole_files:
        yield from _whole_file(file, wanted, options)
        return
    if options.names or options.delimiter not in (None, UNSPLIT, FASTTEXT):
        yield from read_csv(file, wanted, options)
        return
    if options.quote:
        raise InputError(f"{file}: --quote is for the fields of a line; pass --delimiter as well")
    sample = _sample(file, wanted, options)
    labelled = options.delimiter == FASTTEXT or (options.delimiter is None and _has_labels(sample.lines))
    if options.delimiter is None and (said := _said(sample, wanted, options, labelled=labelled)):
        yield from read_csv(file, wanted, *said)
        return
    reading = _reading(sample, wanted, options, labelled=labelled)
    if labelled:
        name = _NAME if reading.columns.texts else str(reading.columns.id)
        rows = (_labelled(line, name) for lines in _lines(sample, options) for line in lines)
        yield from blocks_of_rows(rows, reading)
    else:
        yield from _plain_blocks(_lines(sample, options), reading)


def ending_of_lines(file: str, wanted: ColumnNames, options: ReadOptions) -> str:
    """The ending of which a text file without a name should be: ``csv``, ``tsv``, or ``txt`` where a line is a text.

    Raises:
        InputError: it cannot be read.
    """
    if options.whole_files or options.delimiter in (UNSPLIT, FASTTEXT):
        return "txt"
    sample = _sample(file, wanted, options)
    mark = options.delimiter or mark_of_table(sample, wanted)
    named = {wanted.text, wanted.id} - {None, NO_COLUMN, _NAME}
    if mark is None and not (options.speaks_of_fields or named):
        return "txt"
    return "tsv" if mark == "\t" else "csv"


def _said(sample: Sample, wanted: ColumnNames, options: ReadOptions, *, labelled: bool) -> Said | None:
    """How a file is read as a delimited one; None if its lines are texts.

    Raises:
        InputError: they are something else.
    """
    if not labelled:
        check_words(sample)
        check_blocks(sample)
        check_comments(sample)
    if said := table_of(sample.lines, sample.file, wanted, options):
        return said
    if labelled or not sample.texts:
        return None
    check_formats(sample)
    check_tables(sample, wanted)
    if said := one_column(sample, wanted, options):
        return said
    check_labels_between(sample)
    check_labels(sample)
    if not sample.of_labels:
        check_ids(sample)
    return None


def _sample(file: str, wanted: ColumnNames, options: ReadOptions) -> Sample:
    """The first lines of a file."""
    with open_lines(file, options.encoding) as source:
        data = source.peek()
    cut = data.rfind(b"\n") + 1 if len(data) > _WHOLE_SAMPLE else 0
    encoding = find_encoding(file, options.encoding)
    return Sample.of(data[: cut or len(data)], file, encoding, of_labels=isinstance(wanted, LabelColumns))


def _reading(sample: Sample, wanted: ColumnNames, options: ReadOptions, *, labelled: bool) -> Reading:
    file, encoding, of_labels = sample.file, sample.encoding, isinstance(wanted, LabelColumns)
    if of_labels and not labelled:
        raise MissingColumnError(f"{file}: {_NO_LABELS}")
    notes = list(encoding_notes(file, options.encoding, encoding))
    if sample.mixed and not options.whole_files:
        notes.append(f"{file}: {_MIXED}")
    if labelled and options.delimiter is None:
        notes.append(f"{file}: read with the labels that its lines carry ({FASTTEXT}…)")
    elif not options.whole_files and len(sample.lines) in _FEW_LINES:
        notes.append(f"{file}: read as a row a line; --whole-files makes it one row")
    if not (labelled or options.whole_files):
        notes += [f"{file}: {note}" for note in notes_on(sample)]
    return Reading(
        columns=find_columns(["id" if of_labels else _NAME, "label"][: 1 + labelled], wanted, file=file),
        options=ReadOptions(
            delimiter=FASTTEXT if labelled else UNSPLIT,
            quote="",
            encoding=encoding,
            names=(),
            whole_files=options.whole_files,
        ),
        notes=tuple(notes),
    )


def _lines(sample: Sample, options: ReadOptions) -> Iterator[Sequence[bytes | None]]:
    with open_lines(sample.file, options.encoding) as source:
        yield from runs_of_lines(source, returns=sample.returns)


def _plain_blocks(runs: Iterator[Sequence[bytes | None]], reading: Reading) -> Iterator[RawBlock]:
    first_row = 1
    for lines in runs:
        for start in range(0, len(lines), BLOCK_ROWS):
            some = lines[start : start + BLOCK_ROWS]
            problems = [_problem(line) for line in some]
            data = {name: pa.array(some, pa.large_binary()) for name in reading.columns.names()}
            yield RawBlock(reading=reading, first_row=first_row, data=data, problems=list(problems))
            first_row += len(some)


def _problem(line: bytes | None) -> str | None:
    if line is None:
        return _TOO_LONG
    return _LATE_LABEL if line.startswith(_MARK) else None


def _whole_file(file: str, wanted: ColumnNames, options: ReadOptions) -> Iterator[RawBlock]:
    with open_lines(file, options.encoding) as source:
        text = whole_text(source.read(LINE_BYTES + 1))
    row: Row = ({"text": text}, None)
    if len(text) > LINE_BYTES:
        row = ({}, f"the file is longer than {LINE_BYTES:,} bytes")
    sample = Sample.of(text[:_WHOLE_SAMPLE], file, find_encoding(file, options.encoding))
    yield from blocks_of_rows([row] if text else [], _reading(sample, wanted, options, labelled=False))


def _has_labels(lines: list[bytes]) -> bool:
    """Whether most lines carry labels as fastText has them."""
    labelled = sum(_LABEL.search(line) is not None for line in lines)
    return labelled > 0 and labelled >= _LABEL_SHARE * len(lines)


def _labelled(line: bytes | None, name: str) -> Row:
    """The text, or the id, by its ``name``, and the label of a line. One without a label is a text as well."""
    if line is None:
        return {}, _TOO_LONG
    labels = _LABEL.findall(line)
    parts = (part.strip() for part in _LABEL.sub(b"\n", line).split(b"\n"))
    text = b" ".join(part for part in parts if part) if labels else line
    if len(labels) > 1:
        return {name: text}, label_count_problem(len(labels))
    return {name: text, "label": labels[0] if labels else None}, None
