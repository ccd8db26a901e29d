"""First lines of a text file → whether they are rows of a table."""

import dataclasses
from collections import Counter

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, find_columns
from engine.inputs.delimited_files.first_rows import is_data, is_label, names_for
from engine.inputs.messages import OR_TEXT
from engine.inputs.options import ReadOptions

_ALMOST_ALL = 0.95
_QUOTES = " \"'"


def table_of(
    lines: list[bytes], file: str, wanted: ColumnNames, options: ReadOptions
) -> tuple[ReadOptions, tuple[str, ...]] | None:
    """How a text file is read as a delimited one, if almost every line has the same number of tabs; and the notes.

    Raises:
        InputError: it does not show which of the columns is the text.
    """
    (tabs, times), *_ = Counter(line.count(b"\t") for line in lines).most_common(1) or [(0, 0)]
    if not tabs or times < _ALMOST_ALL * len(lines):
        return None
    rows = [line.decode("utf-8", "replace").split("\t") for line in lines if line.count(b"\t") == tabs]
    if is_header(rows, wanted, file):
        note = f"{file}: read with a tab between fields, and its first line as their names"
        return dataclasses.replace(options, delimiter="\t"), (note,)
    labels = [is_label(column) for column in zip(*rows, strict=True)]
    if tabs == 1 and labels.count(True) == 1:
        names = ("label", "text") if labels[0] else ("text", "label")
        note = f"{file}: read as {names[0]} and {names[1]} with a tab between them"
        return dataclasses.replace(options, delimiter="\t", quote="", names=names), (note,)
    raise InputError(
        f"{file}: every line has {tabs:,} tab{'s' * (tabs > 1)} in it, and so it is a table. Name its columns, for "
        f"example --delimiter tab --columns {names_for(rows, tabs + 1)}; "
        f"{OR_TEXT}"
    )


def is_header(rows: list[list[str]], wanted: ColumnNames, file: str) -> bool:
    """Whether the first of ``rows`` names their columns."""
    if is_data(rows):
        return False
    try:
        find_columns([name.strip(_QUOTES) for name in rows[0]], wanted, file=file)
    except InputError:
        return False
    return True
