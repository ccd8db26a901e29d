"""First lines of a text file → how it is read if it is a delimited one of a single column, or all lines are quoted."""

import csv
import dataclasses
import re

from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions
from engine.inputs.text_files.sample import Sample
from engine.inputs.text_files.text_tables import is_header

_NEVER = "\x01"  # a delimiter that stands in no text
_DOUBLED = re.compile(r"\"(?:[^\"]|\"\")*\"")
_ESCAPED = re.compile(r"\"(?:[^\"\\]|\\.)*\"")
_KEPT = "--delimiter none keeps all as it is"

Said = tuple[ReadOptions, tuple[str, ...]]


def one_column(sample: Sample, wanted: ColumnNames, options: ReadOptions) -> Said | None:
    """The options of a file of one column, and the notes on them; None if it is none.

    Its first line is the name of a column that has the texts, or each line stands in quotation marks.
    """
    if len(sample.texts) < 2:
        return None
    if is_header([[text] for text in sample.texts], wanted, sample.file):
        delimiter, quote = _fields(sample)
        said = dataclasses.replace(options, delimiter=delimiter, quote=quote)
        marks = ", and without the quotation marks around texts" if quote else ""
        return said, (f"{sample.file}: read as a column whose name is its first line{marks}; {_KEPT}",)
    if quote := _quote(sample.texts):
        said = dataclasses.replace(options, delimiter=_NEVER, quote=quote, names=("text",))
        return said, (f"{sample.file}: read without the quotation marks around each line; {_KEPT}",)
    return None


def _fields(sample: Sample) -> tuple[str, str]:
    """The delimiter and the quotation mark of a file with a header."""
    lines = sample.texts[1:]
    quoted = [line for line in lines if line.startswith('"')]
    if quoted and _has_single_fields(lines):
        return ",", '"'
    return _NEVER, _quote(quoted)


def _has_single_fields(lines: list[str]) -> bool:
    """Whether commas stand only inside of quotation marks, as where a program wrote one column; the end may be cut."""
    reader = csv.reader(lines, strict=True)
    try:
        return all(len(row) == 1 for row in reader)
    except csv.Error:
        return reader.line_num == len(lines)


def _quote(lines: list[str]) -> str:
    """The quotation mark around each of ``lines``; empty if there is none."""
    if lines and all(map(_DOUBLED.fullmatch, lines)):
        return '"'
    return r"\"" if lines and all(map(_ESCAPED.fullmatch, lines)) else ""
