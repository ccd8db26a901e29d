"""Distinct labels of all files + the classes that are known → which class each label is, or a refusal.

Labels are names of classes, or all of them are indices, counted from 0. That is decided for all together: of whole
numbers that are counted from 1, all but the largest would be indices, too.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from engine.errors import InputError
from engine.inputs.labels.names.codes_in_name import check_codes, class_at_begin
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.names.numbered import check_numbered
from engine.inputs.labels.near_classes import near_name
from engine.inputs.labels.not_indices import (
    check_counted_from_minus_one,
    check_counted_from_one,
    check_one_hot,
    check_rejected,
    is_whole,
    neutral_note,
)
from engine.inputs.labels.spelling import NO_LABEL, label_map_text, spell
from engine.inputs.messages import listed, listed_labels
from engine.inputs.shapes.label_values import way_of_values

MAX_CLASSES = 1000
_MAX_INDEX = (1 << 15) - 1
_MAPPED = 5  # labels in an example of a map
_LONGEST = 200  # characters of a label that are shown
_DOUBTFUL = ("?", "ignore", "missing", "skip", "skipped", "unknown", "unlabeled", "unlabelled")
_SAME = "if a number stands for one of the names, say which with --label-map"
_MARKS = r"""\s"'“”‘’«»*_`.()\[\]{}"""
_AROUND = re.compile(  # a name of a class, as language models write it
    rf"^[{_MARKS}]*((the )?(label|sentiment|class|answer|category|prediction)( is)?\s*[:=]?[{_MARKS}]+)?|[{_MARKS}]+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class LabelIndex:
    """Which class each label is.

    Attributes:
        index: label → index of its class.
        unknown: the labels that are no class, sorted.
        plain: those of them that plainly name one, as ``Positive.`` does, and the class.
        near: those of them that may be a class misspelt, and the class.
        numbers: those of them that would be indices if there were no names beside them, and the class.
        notes: what a user has to know of the choice, a sentence each.
    """

    index: dict[str, int]
    unknown: list[str]
    plain: dict[str, str] = field(default_factory=dict)
    near: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def indexer(classes: Sequence[str]) -> Callable[[str], int | None]:
    """A function from a label to its class index; None for one that is neither a name nor an index.

    A label is a name; else a name but for the case of its letters, if there is one such; else an index, unless a class
    has a whole number as its name.
    """
    index = {spell(name): number for number, name in enumerate(classes)}
    folded: dict[str, list[int]] = {}
    for name, number in index.items():
        folded.setdefault(name.casefold(), []).append(number)
    by_number = {} if any(map(is_whole, classes)) else {str(number): number for number in range(len(classes))}

    def index_of(label: str) -> int | None:
        if label in index:
            return index[label]
        alike = folded.get(label.casefold(), [])
        return alike[0] if len(alike) == 1 else by_number.get(label)

    return index_of


def index_labels(
    labels: Iterable[str],
    classes: Sequence[str],
    *,
    where: str,
    not_labels: Collection[str] = (),
    columns: Collection[str] = (),
    beside: NamesBeside | None = None,
) -> LabelIndex:
    """Which of ``classes`` each of the distinct ``labels`` is.

    Args:
        labels: all of them, of all files that are read together, in their one spelling.
        classes: the names.
        where: of the labels, for messages.
        not_labels: words beside them that were read as no label.
        columns: names of the columns that they are from.
        beside: what other columns say of them.

    Raises:
        InputError: the labels seem to be counted from 1, or from -1, or 1 seems to stand for the class that the column
            has its name of, or another column names other classes.
    """
    distinct = sorted(labels)
    check_rejected(distinct, classes, where=where, beside=beside)
    check_one_hot(distinct, classes, columns=columns, where=where, beside=beside)
    check_codes([*distinct, *({"-1"} & set(not_labels))], classes, columns=columns, where=where)
    if not check_numbered(distinct, classes, () if beside is None else beside.numbered, where=where):
        check_counted_from_minus_one(distinct, classes, where=where, not_labels=not_labels)
    check_counted_from_one(distinct, classes, where=where)
    index_of = indexer(classes)
    index = {label: number for label in distinct if (number := index_of(label)) is not None}
    if not _are_indices(distinct, index, classes):
        index = {label: number for label, number in index.items() if label in _names(classes) or not is_whole(label)}
    unknown = [label for label in distinct if label not in index]
    notes = _notes(index, classes, where) + ([] if beside is None else beside.check(index))
    notes += neutral_note(distinct, classes, not_labels=not_labels)
    meant = {label: class_ for label in unknown[:MAX_CLASSES] if (class_ := _meant(label, classes)) is not None}
    others = (label for label in unknown[:MAX_CLASSES] if label not in meant)
    near = {label: class_ for label in others if (class_ := near_name(label, classes)) is not None}
    numbers = _numbers_beside_names(unknown, classes)
    return LabelIndex(index=index, unknown=unknown, plain=meant, near=near, numbers=numbers, notes=notes)


def _numbers_beside_names(unknown: Collection[str], classes: Sequence[str]) -> dict[str, str]:
    """Whole numbers from 0 on among ``unknown`` labels, as where files of one data set write them in two ways."""
    numbers = {str(number): name for number, name in enumerate(classes) if str(number) in unknown}
    return numbers if "0" in numbers and numbers.keys() == {*filter(is_whole, unknown)} else {}


def _are_indices(labels: Collection[str], index: Collection[str], classes: Sequence[str]) -> bool:
    """Whether the whole numbers among ``labels`` are indices of ``classes``, from 0: only if nothing speaks against it.

    Names beside them, a number that is no index, as of stars, and numbers without 0 do.
    """
    return "0" in labels and all(is_whole(label) and label in index for label in labels) and "0" not in _names(classes)


def _names(classes: Sequence[str]) -> set[str]:
    return {spell(name) for name in classes}


def check_not_foreign(
    found: LabelIndex, classes: Sequence[str], *, where: str, beside: NamesBeside | None = None, more: str = ""
) -> None:
    """Refuse labels of which none is one of ``classes``; ``beside`` knows their columns, and ``more`` ends the message.

    Raises:
        InputError: they are such.
    """
    if found.unknown and not found.index:
        raise InputError(
            f"{where}: {foreign(found.unknown, classes)}. {say_which(found.unknown, classes, beside)}{more}"
        )


def foreign(labels: Sequence[str], classes: Sequence[str]) -> str:
    """A message: ``labels`` are none of ``classes``."""
    why = ""
    if any(map(is_whole, labels)):
        why = "; whole numbers are indices only if 0 is among them and every label is one"
    return f"the labels are {listed_labels(labels)}, and the classes are {listed_labels(classes)}{why}"


def say_which(labels: Sequence[str], classes: Sequence[str] = (), beside: NamesBeside | None = None) -> str:
    """The way out of `foreign`: a map of which the user fills in the classes that are not plain."""
    if beside is not None and (way := way_of_values(labels, classes, beside.label_columns, beside.said)):
        return way
    named = {label: _meant(label, classes) or near_name(label, classes) for label in labels}
    text = label_map_text([(label, named[label] or "CLASS") for label in labels[:_MAPPED]])
    none = ", and LABEL= for one that is none" if len(labels) > len(classes) > 0 and not all(named.values()) else ""
    return f"Say which class each is{none}: --label-map {text}{',…' * (len(labels) > _MAPPED)}"


def _meant(label: str, classes: Sequence[str]) -> str | None:
    return None if is_whole(label) else class_at_begin(_AROUND.sub("", label), classes)


def _notes(index: dict[str, int], classes: Sequence[str], where: str) -> list[str]:
    notes = []
    names = _names(classes)
    if numbers := [label for label in index if is_whole(label) and label not in names]:
        pairs = [f"{label} is {classes[index[label]]}" for label in numbers]
        notes.append(f"{where}: labels are read as indices of the classes, counted from 0: {listed(pairs)}")
    if others := [label for label in index if label not in names and not is_whole(label)]:
        pairs = [f"{label!r} as {classes[index[label]]!r}" for label in others]
        notes.append(f"{where}: labels are read as classes whose names differ in case: {listed(pairs)}")
    return notes


def classes_of(labels: Collection[str], *, named: Sequence[str] = ()) -> list[str]:
    """Class names, from the distinct gold labels.

    Args:
        labels: in their one spelling.
        named: names that the files give to their labels, or the user by a map, in their order.

    Raises:
        InputError: there are no names, or too many to be classes.
    """
    if not labels and not named:
        raise InputError("there are no labels to take class names from; name them with --classes")
    if len(labels) > MAX_CLASSES:
        raise InputError(f"there are {len(labels):,} different labels; is it the right column? choose with --label")
    if set(labels) <= {spell(name) for name in named}:
        return list(named)
    return sorted(labels, key=int) if all(map(is_whole, labels)) else sorted(labels)


def check_class_names(classes: Sequence[str]) -> None:
    """Refuse names that cannot be the classes of a store.

    Raises:
        InputError: fewer than two, too many for an int16, one twice, or an empty one.
    """
    if len(classes) > _MAX_INDEX:
        raise InputError(f"there are {len(classes):,} classes; a store holds at most {_MAX_INDEX:,}")
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(name.strip() for name in classes):
        raise InputError(f"classes are {', '.join(map(repr, classes))}; at least two different names are needed")


def doubtful_names(classes: Sequence[str]) -> list[str]:
    """Warnings about new class names that may be another's by mistake, or no name; a sentence each."""
    folded: dict[str, list[str]] = {}
    for name in classes:
        folded.setdefault(re.sub(r"[\W_]+", "", name.casefold()) or name, []).append(name)
    alike = [names for names in folded.values() if len(names) > 1]
    notes = [f"the classes {' and '.join(map(repr, names))} differ in case, spaces or signs alone" for names in alike]
    odd = [name for name in classes if name.casefold() in (*NO_LABEL, *_DOUBTFUL)]
    if (numbers := [name for name in classes if is_whole(name)]) and len(numbers) < len(classes):
        names = [name for name in classes if name not in numbers]
        notes.append(f"some classes are numbers ({listed(numbers)}) and others names ({listed(names)}); {_SAME}")
    return notes + [f"the class {name!r} may be no class" for name in odd]
