"""Files of which the texts alone are read, beside labelled ones → their good texts; bad rows are counted.

One command reads both, with one set of options: what is said of another kind of file is not said of these.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.errors import InputError
from engine.inputs.blocks import in_detail
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.labels.several_files import read_together
from engine.inputs.messages import SHOWN, no_usable_row
from engine.inputs.options import ReadOptions
from engine.inputs.paths.file_kinds import DELIMITED, OF_LINES, TAR, TEXT, kind_of_file


@dataclass(kw_only=True)
class TextCounts:
    """What became of the rows.

    Attributes:
        rows: good ones.
        rejected: refused ones.
        reasons: of the first of these, with their places.
    """

    rows: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)


def reading_of_texts(file: str, columns: ColumnNames, options: ReadOptions) -> tuple[ColumnNames, ReadOptions]:
    """How ``file`` is read: its labels are not, and a file of plain text has no columns."""
    kind = kind_of_file(file)
    own = ReadOptions(
        encoding=options.encoding if kind in OF_LINES else None,
        whole_files=options.whole_files and kind in (TEXT, TAR),
    )
    if kind == TEXT:
        return ColumnNames(label=NO_COLUMN), own
    if kind == DELIMITED:
        own = dataclasses.replace(own, delimiter=options.delimiter, quote=options.quote, names=options.names)
    return dataclasses.replace(columns, label=NO_COLUMN), own


def good_texts(
    files: Sequence[str], columns: ColumnNames, options: ReadOptions, counts: TextCounts, *, on_bad_row: str
) -> Iterator[list[str]]:
    """The texts of ``files``, in their order, some at a time.

    Args:
        files: where they are.
        columns: names that the user gave; ids are not read.
        options: how files are read, as the user says it of all.
        counts: what became of the rows so far.
        on_bad_row: ``reject`` or ``fail``.

    Raises:
        InputError: a file cannot be read, no row is good, or one is bad and ``on_bad_row`` is ``fail``.
    """
    with read_together(list(files)):
        for file in files:
            wanted, reading = reading_of_texts(file, dataclasses.replace(columns, id=NO_COLUMN), options)
            for block in read_blocks(file, wanted, reading):
                good = []
                for row, (text, problem) in enumerate(zip(block.text.to_pylist(), block.problems, strict=True)):
                    if problem is None:
                        good.append(text)
                        continue
                    reason = f"{block.file} row {block.first_row + row:,}: {in_detail(problem)}"
                    if on_bad_row == "fail":
                        raise InputError(f"{reason}. Mend the row or pass --on-bad-row=reject")
                    counts.rejected += 1
                    counts.reasons += [reason] * (len(counts.reasons) < SHOWN)
                counts.rows += len(good)
                yield good
    if not counts.rows:
        raise InputError(no_usable_row(files, counts.rejected, counts.reasons))
