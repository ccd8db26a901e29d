"""First lines of a text file → refused if each begins or ends with an id or a number that is no part of its text.

An id is a word with a digit in it, and almost every line has one of its own.
"""

import re
import shlex
from collections.abc import Sequence

from engine.errors import InputError
from engine.inputs.delimited_files.first_rows import LABEL_LENGTH, names_for
from engine.inputs.text_files.sample import Sample

_AT_LEAST, _MOST_DIFFERENT = 3, 0.9
_WORD, _DIGIT = re.compile(r"#?\w[\w.-]*"), re.compile(r"\d")
_BARS = ("|", "^", "~")
_BEFORE = ("||", "|", ";", "^", "~", "::", ",", ": ", "@", "=")
_BEHIND = ("||", "|", ";", "^", "~", "::", ",", "@", "=")


def check_ids(sample: Sample) -> None:
    """Refuse lines as ``text|123`` and ``h101;text``, and bars between the fields of a table.

    Raises:
        InputError: they are such lines.
    """
    if len(sample.texts) < _AT_LEAST:
        return
    for begins, marks in ((True, _BEFORE), (False, _BEHIND)):
        for mark in marks:
            if all(mark in text for text in sample.texts) and _are_ids(_ends_of(sample, mark, begins=begins)):
                raise _carries(sample, mark, begins=begins)
    for mark in _BARS:
        _check_bars(sample, mark)


def _ends_of(sample: Sample, mark: str, *, begins: bool) -> list[str]:
    """What stands before the first ``mark`` of each line, or behind the last one."""
    if begins:
        return [text.partition(mark)[0].rstrip() for text in sample.texts]
    ends = [text.rpartition(mark)[2] for text in sample.texts]
    if mark != ",":
        return [end.lstrip() for end in ends]
    return ends if not any(map(re.compile(r".*\d,\d+").fullmatch, sample.texts)) else [""]  # 1,000 is one number


def _are_ids(values: Sequence[str]) -> bool:
    """Whether ``values`` are ids."""
    alike = all(len(value) <= LABEL_LENGTH and _WORD.fullmatch(value) and _DIGIT.search(value) for value in values)
    return alike and len(set(values)) >= _MOST_DIFFERENT * len(values)


def _carries(sample: Sample, mark: str, *, begins: bool) -> InputError:
    names, where = ("id,text", "begins") if begins else ("text,id", "ends")
    words = f"every line {where} with what looks like an id ({_ends_of(sample, mark, begins=begins)[0]}). To read it,"
    spaced = any(f" {mark}" in text or f"{mark} " in text for text in sample.texts)
    if len(mark) == 1 and not spaced and all(text.count(mark) == 1 for text in sample.texts):
        return sample.refused(f"{words} pass --delimiter '{mark}' --quote none --columns {names}")
    plain = re.sub(r"[\\|.*+?(){}\[\]^$/]", r"\\\g<0>", mark.strip())
    script = rf"s/\t/ /g; s/ *{plain} */\t/" if begins else rf"s/\t/ /g; s/^(.*[^ ]) *{plain} */\1\t/"
    return sample.refused(
        f"{words} put a tab between id and text, with GNU sed: "
        f"{sample.command(f'sed -E {shlex.quote(script)}', 'rows.txt')}; "
        f"then pass --delimiter tab --quote none --columns {names}"
    )


def _check_bars(sample: Sample, mark: str) -> None:
    """Refuse lines that all have as many bars, with no white space around them."""
    counts = {text.count(mark) for text in sample.texts}
    if len(counts) > 1 or 0 in counts or any(f" {mark}" in text or f"{mark} " in text for text in sample.texts):
        return
    rows = [text.split(mark) for text in sample.texts]
    raise sample.refused(
        f"every line has {mark} between what look like fields, and so it is a table. Name its columns, for example "
        f"--delimiter '{mark}' --quote none --columns {names_for(rows, len(rows[0]))}"
    )
