"""Columns of a file none of which is called a label → those that seem to hold labels, for a message to name."""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.delimited_files.first_rows import is_label
from engine.inputs.json_files.nested_values import label_key
from engine.inputs.labels.names.codes_in_name import class_of_column
from engine.inputs.labels.spelling import NO_LABEL, spell
from engine.inputs.shapes.likely_text import has_word_for_others, has_word_for_texts

_NAMES = re.compile(
    r"label|sentiment|target|polarity|class|gold|categor|annotation|verdict|intent|emotion|topic|choice|accept|rating|"
    r"recommend|satisf|cats$|vote|response",
    re.IGNORECASE,
)
_OF_A_MODEL = re.compile(r"pred|guess|model|output(?!:)|baseline|suggest", re.IGNORECASE)  # Toloka: OUTPUT:result
_LOOKED_AT, _MOST_CLASSES, _LETTERS = 2000, 200, 3
_FEW = 10  # values of a column that may be merged to two classes, as stars are
_WHOLE = re.compile(r"-?[0-9]+")
_TRUTHS = ("true", "false", "yes", "no", "y", "n", "t", "f", "0", "1")
_NESTED = ("{", "[")


def likely_labels(columns: Mapping[str, pa.Array], classes: Sequence[str]) -> list[str]:
    """Names of the columns that seem to hold labels, those of the plainest kind that there is.

    These are the names of classes, or scores or votes for each; numbers or truths of a name that says so, as
    ``sentiment`` and ``is_positive``; a few words of such a name. The column with the most values comes first.

    Args:
        columns: the first rows of each column beside the text and the id.
        classes: that are known.
    """
    found = _found(columns)
    names = {spell(one).casefold() for one in classes}
    ways: tuple[Callable[[str, Sequence[str]], bool], ...] = (
        lambda name, values: not _OF_A_MODEL.search(name) and _are_of_classes(values, names),
        lambda name, values: _NAMES.search(name) is not None and _are_numbers(values, len(classes)),
        lambda name, values: {*values} <= {*_TRUTHS} and class_of_column(name, classes) is not None,
        lambda name, values: _NAMES.search(name) is not None and is_label(values, most=_MOST_CLASSES),
    )
    by_filled = sorted(found.items(), key=lambda one: -len(one[1]))
    likely = ([name for name, values in by_filled if is_one(name, values)] for is_one in ways)
    return next((some for some in likely if some), [])


def possible_labels(columns: Mapping[str, pa.Array]) -> list[str]:
    """Names of all columns that could hold labels: a few short values that come again, or lists and objects.

    Args:
        columns: as of `likely_labels`.
    """
    return [
        name
        for name, values in _found(columns).items()
        if is_label(values, most=_MOST_CLASSES) or all(value.startswith(_NESTED) for value in values)
    ]


def possible_gold(columns: Mapping[str, pa.Array], classes: Sequence[str]) -> list[str]:
    """Names of the columns of `possible_labels` that have about as few values as there are classes, and no free text.

    Where the classes are not known, a column has as few if each value has as many rows as there are values.

    Args:
        columns: as of `likely_labels`.
        classes: that are known.
    """
    names = possible_labels(columns)
    found = _found({name: columns[name] for name in names if not has_word_for_texts(name) or has_word_for_others(name)})
    return [name for name, values in found.items() if len({*values}) <= _most_values(len(values), len(classes))]


def _most_values(rows: int, classes: int) -> int:
    """How many different values of gold ``rows`` may have if there are ``classes``; 0 if these are not known."""
    most = max(classes, math.isqrt(rows))
    return min(most, max(_FEW, 2 * classes)) if classes else most


def _found(columns: Mapping[str, pa.Array]) -> dict[str, list[str]]:
    """The values of the columns that have some."""
    return {name: values for name, array in columns.items() if (values := _values(array))}


def _are_of_classes(values: Sequence[str], names: Collection[str]) -> bool:
    """Whether ``values`` are names of classes, or the first letters of one, or objects with a number for some."""
    if not names:
        return False
    if all(value.startswith("{") for value in values):
        objects = [*map(_loaded, {*values})]
        return all(isinstance(one, dict) and one and _are_scores(one, names) for one in objects)
    known = [name for name in names if len(name) >= _LETTERS]
    return all(
        value in names or (len(value) >= _LETTERS and sum(name.startswith(value) for name in known) == 1)
        for value in {*values}
    )


def _are_scores(one: dict[str, Any], names: Collection[str]) -> bool:
    return all(spell(key).casefold() in names and isinstance(value, int | float) for key, value in one.items())


def _are_numbers(values: Sequence[str], classes: int) -> bool:
    return len({*values}) == classes and all(map(_WHOLE.fullmatch, values))


def _values(array: pa.Array) -> list[str]:
    """The first values, each as labels are compared; none if they are of a kind that labels are not of."""
    if not (pa.types.is_string(array.type) or pa.types.is_integer(array.type) or pa.types.is_boolean(array.type)):
        return []
    texts = pc.drop_null(array[:_LOOKED_AT].cast(pa.string())).to_pylist()
    values = [spell(_only(text)).casefold() for text in texts]
    return [value for value in values if value not in NO_LABEL]


def _only(text: str) -> str:
    """The one value of a list in JSON, as annotation tools write it, or nothing of none; the label in an object.

    Any other text as it is.
    """
    values = _loaded(text) if text.startswith(_NESTED) else None
    if isinstance(values, dict) and (key := label_key(values)) is not None:
        return str(values[key])
    return "".join(map(str, values)) if isinstance(values, list) and len(values) < 2 else text


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
