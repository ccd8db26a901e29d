"""A column that has the name of a class, and whose labels say which rows are of it → a refusal with the way."""

from collections.abc import Collection, Sequence

from engine.errors import InputError
from engine.inputs.labels.names_beside import NamesBeside
from engine.inputs.labels.spelling import label_map_text, spell
from engine.inputs.shapes.marks import MARKS, way_of_marks

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
    names = {spell(column).casefold() for column in (*columns, *files.values())}
    named = [number for number, name in enumerate(classes) if spell(name).casefold() in names]
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
        way = way_of_marks(next(iter(files)) if len(files) == 1 else "", classes)
    raise InputError(
        f"{where}: the column has the name of the class {classes[named[0]]!r}, and so {_on(labels)} seems to be it: "
        f"{way}"
    )


def _on(labels: Sequence[str]) -> str:
    return "1" if set(labels) <= {"0", "1"} else repr(labels[-1])
