"""Labels that cannot be used → why, and lines for people: one of each unknown label, with its rows and the way out."""

import re
from collections.abc import Iterable, Sequence

from engine.inputs.labels.classes import LabelIndex
from engine.inputs.labels.spelling import JUDGED_AWAY, LEFT_OUT, label_map_text
from engine.inputs.messages import counted, listed

UNKNOWN_LABEL = "unknown label"
_MAPPED = 5  # labels in an example of a map
_LONGEST = 200  # characters of a label that are shown
_MORE = re.compile(rf" and ([\d,]+) more rows?: {UNKNOWN_LABEL} ")


def unknown_label(
    label: str, found: LabelIndex, classes: Sequence[str], *, mapped: Sequence[tuple[str, str]] = ()
) -> str:
    """The reason to refuse a row: its ``label`` is none of ``classes``. ``mapped`` is the map that the user gave."""

    def as_map(pairs: Iterable[tuple[str, str]]) -> str:
        return f"--label-map {label_map_text(list(dict([*mapped, *list(pairs)[:_MAPPED]]).items()))}"

    if label in found.plain:
        way = as_map(found.plain.items())
    elif label in found.near:
        way = f"if it is {found.near[label]!r}: {as_map(found.near.items())}"
    elif label in found.numbers:
        way = f"if it is an index counted from 0: {as_map(found.numbers.items())}"
    else:
        way = f"if it is none: {as_map([(label, '')])}"
    return f"{UNKNOWN_LABEL} {label[:_LONGEST]!r} (classes: {listed(classes)}); {way}"


def lack(label: str | None, given: str | None = None) -> str | None:
    """Why there is no label, if there is none: of one that was ``given``, because it was judged away."""
    return None if label is not None else "label is null" if given is None else JUDGED_AWAY


def refused_line(place: str, problem: str, *, rows: int = 1) -> str:
    """What is said of ``rows`` rows, the first of them at ``place``, that have the same ``problem``."""
    more = f" and {counted(rows - 1, 'more row')}" if rows > 1 else ""
    return f"{place}{more}: {problem}"


def rows_of_line(line: str) -> int:
    """The inverse of `refused_line`: of how many rows a line of an unknown label speaks; 1 of all others."""
    found = _MORE.search(line)
    return 1 if found is None else 1 + int(found[1].replace(",", ""))


def refused_lines(refused: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each refused row, but one for all rows of the same unknown label.

    Args:
        refused: place and problem of each row, in order.
    """
    lines: dict[object, tuple[str, str, int]] = {}
    for number, (place, problem) in enumerate(refused):
        key = problem if problem.startswith(UNKNOWN_LABEL) else number
        first, _, rows = lines.get(key, (place, problem, 0))
        lines[key] = (first, problem, rows + 1)
    return [refused_line(place, problem, rows=rows) for place, problem, rows in lines.values()]


def left_out_note(rows: int) -> list[str]:
    """A note that ``rows`` rows have a label that is none by the user's map; none if there is no such row."""
    return [f"{counted(rows, 'row')} left out: {LEFT_OUT}"] if rows else []
