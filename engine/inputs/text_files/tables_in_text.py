"""First lines of a text file → refused if they are a table: one that was drawn, or one of a mark between fields."""

import re
import shlex
from collections import Counter
from itertools import takewhile

from engine.inputs.columns import ColumnNames
from engine.inputs.delimited_files.dialect import SEP_LINE
from engine.inputs.delimited_files.find_dialect import find_dialect, rows_in
from engine.inputs.delimited_files.first_rows import before_cut, has_names, names_for
from engine.inputs.options import FOUND_OUT
from engine.inputs.text_files.sample import Sample
from engine.inputs.text_files.text_tables import is_header

_MARKS = (";", "|", "@", ",", ":")
_MOST_ROWS, _FEWEST = 0.8, 3
_FIT = 0.9
_SEEN_LINES = 1000
_HIVE = "\x01"
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.|\"\")*\"([ ;,|])(?=\")")
_RULE = re.compile(r"-{2,}(?:\+-+)*")
_BOX = re.compile(r"\+-+(?:\+-+)*\+")
_MARKDOWN_RULE = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_COUNT = r"/^\([0-9]+ rows?\)$/d"
_WIDE = re.compile(r"\s{2,}")
_FWF = 'import pandas; pandas.read_fwf("/dev/stdin").to_csv("/dev/stdout", index=False)'


def check_tables(sample: Sample, wanted: ColumnNames) -> None:
    """Refuse a table.

    Raises:
        InputError: it is one.
    """
    if len(sample.texts) < 2:
        return
    _check_drawn(sample, wanted)
    _check_fields(sample)
    _check_header(sample, wanted)
    _check_other(sample, wanted)


def check_comments(sample: Sample) -> None:
    """Refuse a table below lines that begin with ``#``, as Anki writes them.

    Raises:
        InputError: it is one.
    """
    above = len([*takewhile(lambda line: line.startswith(b"#"), sample.lines)])
    below = sample.lines[above:]
    (tabs, times), *_ = Counter(line.count(b"\t") for line in below).most_common(1) or [(0, 0)]
    if not above or not tabs or times < max(_FEWEST, _MOST_ROWS * len(below)):
        return
    rows = [line.decode("utf-8", "replace").split("\t") for line in below if line.count(b"\t") == tabs]
    way = sample.command(f"tail -n +{sample.numbers[above]}", "rows.tsv")
    names = "" if has_names(rows) else f", and read that with --columns {names_for(rows, tabs + 1)}"
    raise sample.refused(f"lines that begin with # stand above a table. Take them away: {way}{names}")


def _check_drawn(sample: Sample, wanted: ColumnNames) -> None:
    """Refuse what psql and mysql print, tables of Markdown, and columns of a fixed width."""
    first, second = sample.texts[:2]
    bars = first.count("|")
    if _BOX.fullmatch(first) and second[0] == second[-1] == "|":
        way = sample.command(f"sed -E {shlex.quote(_of_bars('/^[+]-/d'))}", "table.tsv")
        raise sample.refused(f"it is a table as mysql prints it. To read it, put tabs between its fields: {way}")
    if _RULE.fullmatch(second) and second.count("+") == bars and is_header([first.split("|")], wanted, sample.file):
        way = sample.command(f"sed -E {shlex.quote(_of_bars('2d; ' + _COUNT))}", "table.tsv")
        raise sample.refused(
            "it is a table as psql prints it. Write it with psql --csv; or put tabs between its fields, with GNU sed: "
            + way
        )
    if bars > 1 and "--" in second and _MARKDOWN_RULE.fullmatch(second):
        way = sample.command(f"sed -E {shlex.quote(_of_bars('2d'))}", "table.tsv")
        raise sample.refused(f"it is a table of Markdown. To read it, put tabs between its fields, with GNU sed: {way}")
    if not (_WIDE.search(first) and is_header([_WIDE.split(first)], wanted, sample.file)):
        return
    if sum(_WIDE.search(text) is not None for text in sample.texts) * 2 > len(sample.texts):
        way = sample.command(f"python3 -c {shlex.quote(_FWF)}", "table.csv")
        raise sample.refused(f"it is a table whose columns have a fixed width. Write it as CSV, with pandas: {way}")


def _of_bars(first: str) -> str:
    """What sed is told to make of lines with bars between fields, and perhaps around them."""
    return rf"{first}; s/^\s*\|?\s*//; s/\s*\|?\s*$//; s/ *\| */\t/g"


def _check_fields(sample: Sample) -> None:
    """Refuse lines of fields in quotation marks, and those with Hive's mark between them."""
    texts = sample.texts
    if len(found := {pair[1] for pair in map(_QUOTED.match, texts) if pair}) == 1 and all(map(_QUOTED.match, texts)):
        raise sample.refused(
            f"every line has fields in quotation marks, and so it is a table; pass --delimiter '{found.pop()}' "
            "to read it as one"
        )
    rows = [text.split(_HIVE) for text in texts]
    if len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
        raise sample.refused(
            "every line has \\x01 between fields, as Hive writes it, and so it is a table. Name its columns, for "
            f"example --columns {names_for(rows, len(rows[0]))}"
        )


def _check_header(sample: Sample, wanted: ColumnNames) -> None:
    for mark in _MARKS:
        if all(mark in text for text in sample.texts) and is_header([sample.texts[0].split(mark)], wanted, sample.file):
            raise sample.refused(
                f"its first line looks like the header of a table ({sample.texts[0][:200]}); pass --delimiter "
                f"'{mark}' to read it as one"
            )


def _check_other(sample: Sample, wanted: ColumnNames) -> None:
    """Refuse a table whose header names no text, or some of whose fields have line ends in quotation marks."""
    if mark := mark_of_table(sample, wanted):
        shown = "tab" if mark == "\t" else f"'{mark}'"
        raise sample.refused(
            f"its first line looks like the header of a table ({sample.texts[0][:200]}), and what is below fits it; "
            f"pass --delimiter {shown} to read it as one"
        )


def mark_of_table(sample: Sample, wanted: ColumnNames) -> str | None:
    """What stands between the fields of a table below a header; None if the lines are no such table.

    Its fields may have line ends in quotation marks, so that a line need not be a row.
    """
    lines = [line.decode("utf-8", "replace") + "\n" for line in sample.lines[:_SEEN_LINES]]
    if len(lines) < 2:
        return None
    if said := SEP_LINE.fullmatch(lines[0]):
        return said[1]
    dialect = find_dialect(lines, FOUND_OUT, likely=",")
    header, *below = rows_in(lines, dialect)
    below = list(before_cut(below, len(header)))
    fit = [row for row in below if len(row) == len(header)]
    if len(header) < 2 or not fit or len(fit) < _FIT * len(below):
        return None
    rows = [header, *fit]
    is_table = is_header(rows, wanted, sample.file) or (len(fit) >= _FEWEST and has_names(rows))
    return dialect.delimiter if is_table else None
