"""First lines of a text file → whether they are rows of a table, or carry labels in another way."""

import dataclasses
import re
import shlex
from collections import Counter
from collections.abc import Sequence

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, find_columns
from engine.inputs.delimited_files.first_rows import is_data, is_label, names_for
from engine.inputs.options import ReadOptions

_ALMOST_ALL = 0.95
_MARKS = (";", "|", "@", ",", " ", ":")
_IN_PROSE = {",": re.compile(r"\w+"), " ": re.compile(r"\d+|[\w-]+:[\w-]+"), ":": re.compile(r"[\w-]+")}
_MOST_LABELS = 60
_QUOTES = " \"'"
_HIVE = "\x01"
_JSON = re.compile(r"\[\s*([{[\"]|$)|\{\s*(\"|$)")
_MARKUP = re.compile(r"<(\?xml|!doctype|html)\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.|\"\")*\"([ ;,|])(?=\")")
_OR_TEXT = "or pass --delimiter none if a line is a text"


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
        f"example --delimiter tab --columns {names_for(rows, tabs + 1)}; "
        f"{_OR_TEXT}"
    )


def _is_header(rows: list[list[str]], wanted: ColumnNames, file: str) -> bool:
    if is_data(rows):
        return False
    try:
        find_columns([name.strip(_QUOTES) for name in rows[0]], wanted, file=file)
    except InputError:
        return False
    return True


def check_lines(lines: list[bytes], wanted: ColumnNames, file: str) -> None:
    """Refuse a file whose lines are rows of a table, JSON objects, or begin or end with a label, as ``text;joy``.

    Raises:
        InputError: it is one.
    """
    texts = [text for line in lines if (text := line.decode("utf-8", "replace").strip())]
    if not texts:
        return
    _check_markup(texts, file)
    _check_fields(texts, file)
    _check_header(texts, wanted, file)
    for mark in _MARKS:
        cut = [text for text in texts if mark in text]
        if len(cut) < _ALMOST_ALL * len(texts):
            continue
        if _are_labels(heads := [text.partition(mark)[0] for text in cut], mark):
            raise _carries(heads, "begins", "label,text", mark, cut, file)
        if _are_labels(tails := [text.rpartition(mark)[2] for text in cut], mark):
            raise _carries(tails, "ends", "text,label", mark, cut, file)


def _check_markup(texts: Sequence[str], file: str) -> None:
    """Refuse JSON, XML and HTML."""
    if all(text[0] == "{" and text[-1] == "}" for text in texts):
        raise InputError(f"{file}: every line looks like a JSON object; let its name end in .jsonl, {_OR_TEXT}")
    if _JSON.match(texts[0]):
        raise InputError(f"{file}: it begins as JSON does; let its name end in .json, {_OR_TEXT}")
    if _MARKUP.match(texts[0]):
        raise InputError(f"{file}: it begins as XML or HTML does; write its texts as CSV, {_OR_TEXT}")


def _check_fields(texts: Sequence[str], file: str) -> None:
    """Refuse lines of fields in quotation marks, and those with Hive's mark between them."""
    if len(texts) < 2:
        return
    if len(found := {pair[1] for pair in map(_QUOTED.match, texts) if pair}) == 1 and all(map(_QUOTED.match, texts)):
        raise InputError(
            f"{file}: every line has fields in quotation marks, and so it is a table; pass --delimiter '{found.pop()}' "
            f"to read it as one, {_OR_TEXT}"
        )
    rows = [text.split(_HIVE) for text in texts]
    if len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
        raise InputError(
            f"{file}: every line has \\x01 between fields, as Hive writes it, and so it is a table. Name its columns, "
            f"for example --columns {names_for(rows, len(rows[0]))}; {_OR_TEXT}"
        )


def _check_header(texts: Sequence[str], wanted: ColumnNames, file: str) -> None:
    for mark in _MARKS:
        if mark == " " or len(texts) < 2 or not all(mark in text for text in texts):
            continue
        if _is_header([texts[0].split(mark)], wanted, file):
            raise InputError(
                f"{file}: its first line looks like the header of a table ({texts[0][:200]}); pass --delimiter "
                f"'{mark}' to read it as one, {_OR_TEXT}"
            )


def _are_labels(values: Sequence[str], mark: str) -> bool:
    """Whether what stands before or behind each ``mark`` is a label. What also stands in prose has to be plainer."""
    plain = mark not in _IN_PROSE or all(map(_IN_PROSE[mark].fullmatch, values))
    return plain and is_label(values, most=_MOST_LABELS)


def _carries(labels: Sequence[str], where: str, names: str, mark: str, texts: Sequence[str], file: str) -> InputError:
    way = f"pass --delimiter '{mark}' --columns {names}"
    if any(text.count(mark) > 1 for text in texts):
        place = f"s/{mark}/" if where == "begins" else rf"s/\(.*\){mark}/\1"
        way = rf"put a tab between label and text, with GNU sed: sed '{place}\t/' {shlex.quote(file)} > labelled.txt"
    some = ", ".join(sorted(set(labels))[:3])
    return InputError(
        f"{file}: every line {where} with what looks like a label ({some}). To read it, {way}; {_OR_TEXT}"
    )
