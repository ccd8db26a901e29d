"""Plain text → raw blocks: a row a line, or a row a file. Lines that carry labels are read as such, or refused.

Lines of fastText (``__label__good text``) have the label apart from the text; where all lines have a tab in them and
one side is plainly a label, the file is a delimited one.
"""

import re
from collections.abc import Iterator

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock, Row, blocks_of_rows, label_count_problem
from engine.inputs.columns import ColumnNames, find_columns
from engine.inputs.delimited import read_csv
from engine.inputs.delimited_files.text_tables import check_lines, table_of
from engine.inputs.lines import LINE_BYTES, encoding_notes, find_encoding, open_lines, pieces_of
from engine.inputs.options import FASTTEXT, UNSPLIT, Reading, ReadOptions

_MARK = FASTTEXT.encode()
_LABEL = re.compile(rb"(?:^|(?<=\s))" + _MARK + rb"(\S+)")
_LABEL_SHARE = 0.5
_FEW_LINES = range(2, 21)
_WHOLE_SAMPLE = 1 << 16
_TOO_LONG = f"the line is longer than {LINE_BYTES:,} bytes"
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
    lines = _sample(file, options)
    if options.delimiter is None and (table := table_of(lines, file, wanted, options)):
        yield from read_csv(file, wanted, *table)
        return
    if options.delimiter is None and not _has_labels(lines):
        check_lines(lines, wanted, file)
    labelled = options.delimiter == FASTTEXT or (options.delimiter is None and _has_labels(lines))
    reading = _reading(file, wanted, options, labelled=labelled, lines=len(lines))
    if labelled:
        rows = (_labelled(line) for lines in _lines(file, options) for line in lines)
        yield from blocks_of_rows(rows, reading)
    else:
        yield from _plain_blocks(file, options, reading)


def _sample(file: str, options: ReadOptions) -> list[bytes]:
    """The first lines that are not blank; a few of them only if the file has no more."""
    with open_lines(file, options.encoding) as source:
        data = source.peek()
    cut = data.rfind(b"\n") + 1 if len(data) > _WHOLE_SAMPLE else 0
    return [line for line in data[: cut or len(data)].splitlines() if line.strip()]


def _reading(file: str, wanted: ColumnNames, options: ReadOptions, *, labelled: bool, lines: int) -> Reading:
    encoding = find_encoding(file, options.encoding)
    notes = list(encoding_notes(file, options.encoding, encoding))
    if labelled and options.delimiter is None:
        notes.append(f"{file}: read with the labels that its lines carry ({FASTTEXT}…)")
    elif not options.whole_files and lines in _FEW_LINES:
        notes.append(f"{file}: read as a row a line; --whole-files makes it one row")
    return Reading(
        columns=find_columns(["text", "label"] if labelled else ["text"], wanted, file=file),
        options=ReadOptions(
            delimiter=FASTTEXT if labelled else UNSPLIT,
            quote="",
            encoding=encoding,
            names=(),
            whole_files=options.whole_files,
        ),
        notes=tuple(notes),
    )


def _lines(file: str, options: ReadOptions) -> Iterator[list[bytes | None]]:
    """Lines without their ends, many at once; None for one that is too long."""
    with open_lines(file, options.encoding) as source:
        for piece in pieces_of(source):
            if piece is None:
                yield [None]
                continue
            yield [line.removesuffix(b"\r") for line in piece.removesuffix(b"\n").split(b"\n")]


def _plain_blocks(file: str, options: ReadOptions, reading: Reading) -> Iterator[RawBlock]:
    first_row = 1
    for lines in _lines(file, options):
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
        text = source.read(LINE_BYTES + 1).strip(b"\r\n")
    row: Row = ({"text": text}, None)
    if len(text) > LINE_BYTES:
        row = ({}, f"the file is longer than {LINE_BYTES:,} bytes")
    yield from blocks_of_rows([row] if text else [], _reading(file, wanted, options, labelled=False, lines=1))


def _has_labels(lines: list[bytes]) -> bool:
    """Whether most lines carry labels as fastText has them."""
    labelled = sum(_LABEL.search(line) is not None for line in lines)
    return labelled > 0 and labelled >= _LABEL_SHARE * len(lines)


def _labelled(line: bytes | None) -> Row:
    """The text and the label of a line. One without a label is a text as well."""
    if line is None:
        return {}, _TOO_LONG
    labels = _LABEL.findall(line)
    parts = (part.strip() for part in _LABEL.sub(b"\n", line).split(b"\n"))
    text = b" ".join(part for part in parts if part) if labels else line
    if len(labels) > 1:
        return {"text": text}, label_count_problem(len(labels))
    return {"text": text, "label": labels[0] if labels else None}, None
