"""Rows of each label + the classes that are known → rows of each class; of a class without any, a warning or a refusal.

A class that nobody has and a label that is no class are often one mistake: a name that is misspelt.
"""

import csv
import io
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from engine.errors import InputError
from engine.inputs.labels.classes import LabelIndex, say_which
from engine.inputs.labels.near_classes import mended_map
from engine.inputs.messages import counted, listed


def class_counts(counts: Mapping[str, int], found: LabelIndex, classes: Sequence[str]) -> dict[str, int]:
    """The rows of each class that has some.

    Args:
        counts: label → rows.
        found: which class each label is.
        classes: the names.
    """
    named = Counter[str]()
    for label, count in counts.items():
        if label in found.index:
            named[classes[found.index[label]]] += count
    return dict(named)


def class_warnings(
    counts: Mapping[str, int],
    found: LabelIndex,
    classes: Sequence[str],
    *,
    where: str,
    expects_all: bool,
    mapped: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """Warnings about classes without a row; a sentence each.

    Args:
        counts: label → rows.
        found: which class each label is.
        classes: the names.
        where: of the labels, for messages.
        expects_all: the user named the classes for these rows.
        mapped: the map that the user gave.

    Raises:
        InputError: a class has no row, and a label that is none of the classes may be it; or there is any such label,
            and ``expects_all``. Labels of which none is a class are refused elsewhere.
    """
    filled = class_counts(counts, found, classes)
    empty = [name for name in classes if name not in filled]
    near = {label: name for label, name in {**found.near, **found.plain}.items() if name in empty and counts.get(label)}
    if near and (filled or expects_all):
        raise InputError(f"{where}: {_misspelt(near, counts, classes, expects_all=expects_all, mapped=mapped)}")
    if not (filled and empty and expects_all):
        return []
    said = f"no row is of the {_classes(empty)}"
    if unknown := [label for label in found.unknown if counts.get(label)]:
        labels = listed(f"{label!r} ({counted(counts[label], 'row')})" for label in unknown)
        raise InputError(
            f"{where}: {said}, and there are labels that are none of the classes: {labels}. Correct --classes, or: "
            f"{say_which(unknown, classes)}"
        )
    return [f"{said}: no model learns it from them. Leave it out of --classes, or add rows of it"]


def _misspelt(
    near: Mapping[str, str],
    counts: Mapping[str, int],
    classes: Sequence[str],
    *,
    expects_all: bool,
    mapped: Sequence[tuple[str, str]],
) -> str:
    """The end of an error: ``near`` are labels, and the classes without a row that they may be."""
    pairs = listed(
        f"no row is of the class {name!r}, and {counted(counts[label], 'row')} of {label!r}, which is no class"
        for label, name in near.items()
    )
    way = f"--label-map {mended_map(near, mapped)}"
    if not expects_all:
        return f"{pairs}. If it is a mistake in the label: {way}"
    right = {name: label for label, name in near.items()}
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([right.get(name, name) for name in classes])
    return f"{pairs}. If the class is misspelt: --classes {shlex.quote(line.getvalue())}; if the label is: {way}"


def _classes(names: Sequence[str]) -> str:
    return f"class {names[0]!r}" if len(names) == 1 else f"classes {listed(map(repr, names))}"
