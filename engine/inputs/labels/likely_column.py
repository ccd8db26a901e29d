"""Columns of a file none of which is called a label → the one that seems to hold labels, for a message to name."""

import json
import re
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.delimited_files.first_rows import is_label
from engine.inputs.labels.spelling import NO_LABEL, spell

_NAMES = re.compile(
    r"label|sentiment|target|polarity|class|gold|categor|annotation|verdict|intent|emotion|topic|choice|accept|rating",
    re.IGNORECASE,
)
_OF_A_MODEL = re.compile(r"pred|guess|model|output|baseline", re.IGNORECASE)
_LOOKED_AT, _MOST_CLASSES, _LETTERS = 2000, 200, 3
_WHOLE = re.compile(r"-?[0-9]+")


def likely_label(columns: Mapping[str, pa.Array], classes: Sequence[str], *, by_name: bool = True) -> str | None:
    """The name of the column that seems to hold labels; None if none does, or two do.

    Args:
        columns: the first rows of each column beside the text and the id.
        classes: that are known; a column of nothing but their names is taken first, and one of as many numbers next.
        by_name: whether a column of a few words is taken for its own name, as ``sentiment``.
    """
    found = {name: values for name, array in columns.items() if (values := _values(array))}
    names = {spell(one).casefold() for one in classes}
    named = {name: values for name, values in found.items() if _NAMES.search(name)}
    ways = (
        [name for name, values in found.items() if _are_names(values, names) and not _OF_A_MODEL.search(name)],
        [name for name, values in named.items() if classes and _are_numbers(values, len(classes))],
        [name for name, values in named.items() if by_name and is_label(values, most=_MOST_CLASSES)],
    )
    likely = next((some for some in ways if some), [])
    return likely[0] if len(likely) == 1 else None


def _are_names(values: Sequence[str], names: Collection[str]) -> bool:
    """Whether ``values`` are ``names``, or the first letters of one, as ``pos`` and ``positiv``."""
    known = [name for name in names if len(name) >= _LETTERS]
    return bool(names) and all(
        value in names or (len(value) >= _LETTERS and sum(name.startswith(value) for name in known) == 1)
        for value in {*values}
    )


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
    """The one value of a list in JSON, as annotation tools write it, or nothing of none; any other text as it is."""
    if not text.startswith("["):
        return text
    try:
        values = json.loads(text)
    except ValueError:
        return text
    return "".join(map(str, values)) if isinstance(values, list) and len(values) < 2 else text
