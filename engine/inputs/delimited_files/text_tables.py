"""First lines of a text file → whether they are rows of a table, or carry labels in another way."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, find_columns
from engine.inputs.delimited_files.header import is_data, is_label, names_for
from engine.inputs.options import ReadOptions

_ALMOST_ALL = 0.95
_MARKS = (";", "|", "@", ",", " ")
_IN_PROSE = {",": str.isalnum, " ": str.isdecimal}
_MOST_LABELS = 30


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
    if _is_header(rows, wanted, file):
        note = f"{file}: read with a tab between fields, and its first line as their names"
        return dataclasses.replace(options, delimiter="\t"), (note,)
    labels = [is_label(column) for column in zip(*rows, strict=True)]
    if tabs == 1 and labels.count(True) == 1:
        names = ("label", "text") if labels[0] else ("text", "label")
        note = f"{file}: read as {names[0]} and {names[1]} with a tab between them"
        return dataclasses.replace(options, delimiter="\t", quote="", names=names), (note,)
    raise InputError(
        f"{file}: every line has {tabs:,} tab{'s' * (tabs > 1)} in it, and so it is a table. Name its columns, for "
        f"example --delimiter tab --columns {names_for(rows, tabs + 1)}; or pass --delimiter none if a line is a text"
    )


def _is_header(rows: list[list[str]], wanted: ColumnNames, file: str) -> bool:
    if is_data(rows):
        return False
    try:
        find_columns(rows[0], wanted, file=file)
    except InputError:
        return False
    return True


def check_labels(lines: list[bytes], file: str) -> None:
    """Refuse a file whose lines begin or end with a label, as ``text;joy`` or ``1 text``.

    Raises:
        InputError: it is one.
    """
    texts = [line.decode("utf-8", "replace").strip() for line in lines]
    for mark in _MARKS:
        cut = [text for text in texts if mark in text]
        if len(cut) < _ALMOST_ALL * len(texts):
            continue
        if _are_labels(heads := [text.partition(mark)[0] for text in cut], mark):
            raise _carries(heads, "begins", "label,text", mark, cut, file)
        if _are_labels(tails := [text.rpartition(mark)[2] for text in cut], mark):
            raise _carries(tails, "ends", "text,label", mark, cut, file)


def _are_labels(values: Sequence[str], mark: str) -> bool:
    """Whether what stands before or behind each ``mark`` is a label. What also stands in prose has to be plainer."""
    return (mark not in _IN_PROSE or all(map(_IN_PROSE[mark], values))) and is_label(values, most=_MOST_LABELS)


def _carries(labels: Sequence[str], where: str, names: str, mark: str, texts: Sequence[str], file: str) -> InputError:
    once = all(text.count(mark) == 1 for text in texts)
    way = f"pass --delimiter '{mark}' --columns {names}" if once else f"write it as CSV with columns {names}"
    some = ", ".join(sorted(set(labels))[:3])
    return InputError(
        f"{file}: every line {where} with what looks like a label ({some}). To read it, {way}; or pass "
        "--delimiter none if a line is a text"
    )
