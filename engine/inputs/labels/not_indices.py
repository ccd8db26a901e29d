"""Numbers and marks that look like indices of classes and are none → a refusal with the way.

They are counted from 1 or from -1, or stand in a column that has the name of a class and say which rows are of it.
"""

import json
import re
from collections.abc import Collection, Sequence

from engine.errors import InputError
from engine.inputs.json_files.jq_commands import jq, members
from engine.inputs.labels.names.codes_in_name import class_of_column, meant_class
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.spelling import label_map_text, spell
from engine.inputs.messages import listed
from engine.inputs.paths.file_kinds import JSON, kind_of_file
from engine.inputs.shapes.marks import MARKS, way_of_marks

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_OFF_AND_ON = (("0", "1"), ("no", "yes"), ("false", "true"), ("n", "y"))


def check_one_hot(
    labels: Sequence[str],
    classes: Sequence[str],
    *,
    columns: Collection[str],
    where: str,
    beside: NamesBeside | None,
) -> None:
    """Refuse 0 and 1, or a mark, in a column that has the name of a class, unless 1 is the index of that class.

    Args:
        labels: all of them, sorted.
        classes: the names.
        columns: names of the columns that they are from.
        where: of the labels, for messages.
        beside: knows the files of the labels, and columns.

    Raises:
        InputError: it has.
    """
    files = {} if beside is None else beside.label_columns
    names = {class_of_column(column, classes) for column in (*columns, *files.values())}
    named = [number for number, name in enumerate(classes) if name in names]
    if len(named) != 1 or not set(labels).isdisjoint(map(spell, classes)):
        return
    is_mark = len(labels) == 1 and labels[0].casefold() in MARKS
    of_two = tuple(label.casefold() for label in labels) in _OFF_AND_ON or (
        len(labels) == 1 and labels[0] in ("0", "1")
    )
    is_index = classes[1:] == [classes[named[0]]] and set(labels) <= {"0", "1"}
    if is_index or not (is_mark or of_two):
        return
    if len(classes) == 2 and not is_mark:
        pairs = zip(labels if len(labels) == 2 else ("0", "1"), (classes[1 - named[0]], classes[named[0]]), strict=True)
        way = f"--label-map {label_map_text(list(pairs))}"
    else:
        file = next(iter(files)) if len(files) == 1 else ""
        way = way_of_marks(file, classes, () if beside is None else beside.said.get(file, ()))
    raise InputError(
        f"{where}: the column has the name of the class {classes[named[0]]!r}, and so {_on(labels)} seems to be it: "
        f"{way}"
    )


def check_rejected(labels: Sequence[str], classes: Sequence[str], *, where: str, beside: NamesBeside | None) -> None:
    """Refuse the one label that annotators accepted or rejected for each text: a rejected one is of the other class.

    Args:
        labels: all that were accepted.
        classes: the names.
        where: of the labels, for messages.
        beside: knows the files in which labels were rejected.

    Raises:
        InputError: the labels are such, and there are two classes.
    """
    files = [] if beside is None else [file for file in beside.rejected if kind_of_file(file) == JSON]
    meant = meant_class(labels[0], classes) if len(labels) == 1 else None
    if not files or beside is None or len(classes) != 2 or meant is None:
        return
    label, other = members(beside.label_columns[files[0]]), json.dumps(next(one for one in classes if one != meant))
    named = f'if .answer == "reject" then {other} elif .answer == "ignore" then null else {label} end'
    way, only = (
        jq(f"{program} | del(.answer)", files[0]) for program in (f"{label} = ({named})", 'select(.answer == "accept")')
    )
    raise InputError(
        f"{where}: the only label is {labels[0]!r}, which annotators accepted for some texts and rejected for others. "
        f"If those are {other}, write it: {way}; if they have no class, leave them out: {only}"
    )


def _on(labels: Sequence[str]) -> str:
    return "1" if set(labels) <= {"0", "1"} else repr(labels[-1])


def check_counted_from_one(labels: Collection[str], classes: Sequence[str], *, where: str) -> None:
    """Refuse whole numbers without 0 of which the largest is the number of ``classes``.

    Raises:
        InputError: ``labels`` are such.
    """
    numbers = sorted(int(label) for label in labels if is_whole(label))
    if not numbers or any(map(is_whole, classes)) or numbers[0] < 1 or numbers[-1] != len(classes):
        return
    way = label_map_text([(str(number), name) for number, name in enumerate(classes, start=1)])
    raise InputError(
        f"{where}: the labels {listed(map(str, numbers))} seem to be counted from 1, and an index of the classes "
        f"{listed(classes)} counts from 0. Say which label is which class: --label-map {way}"
    )


def check_counted_from_minus_one(
    labels: Collection[str], classes: Sequence[str], *, where: str, not_labels: Collection[str]
) -> None:
    """Refuse whole numbers that make a class of each number from -1 on, or only -1 and 1 for two ``classes``.

    Raises:
        InputError: ``labels`` and the -1 among ``not_labels`` are such.
    """
    if "-1" not in not_labels or not labels or not all(is_whole(label.lstrip("+")) for label in labels):
        return
    two, given = len(classes) == 2, sorted(labels, key=int)
    if int(given[-1]) != (1 if two else len(classes) - 2) or (two and "0" in labels):
        return
    if two:
        pairs, none = [("-1", classes[0]), (given[-1], classes[1])], [("-1", ""), (given[-1], classes[1])]
    else:
        pairs = list(zip(map(str, range(-1, len(classes) - 1)), classes, strict=True))
        none = [("-1", "")]
    raise InputError(
        f"{where}: the labels -1, {listed(given)} seem to be counted from -1, which also stands for no label. Say "
        f"which label is which class: --label-map {label_map_text(pairs)}; or, if -1 is no label: --label-map "
        f"{label_map_text(none)}"
    )


def neutral_note(labels: Collection[str], classes: Sequence[str], *, not_labels: Collection[str]) -> list[str]:
    """A note if -1, 0 and 1 may be negative, neutral and positive, where -1 was read as no label and 0 as a class."""
    if len(classes) != 2 or "-1" not in not_labels or set(labels) != {"0", "1"}:
        return []
    way = label_map_text([("-1", classes[0]), ("0", ""), ("1", classes[1])])
    return [f"-1 is read as no label and 0 as {classes[0]!r}; if 0 is between the two: --label-map {way}"]


def is_whole(label: str) -> bool:
    """Whether a label is a whole number in its one spelling."""
    return _INTEGER.fullmatch(label) is not None
