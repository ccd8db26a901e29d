"""Gold labels as written → class names and indices. A label is a class name, or the index of one, counted from 0."""

from collections.abc import Callable, Collection, Sequence

from engine.errors import InputError

MAX_CLASSES = 1000
_MAX_INDEX = (1 << 15) - 1


def indexer(classes: Sequence[str]) -> Callable[[str], int | None]:
    """A function from a label as written to its class index; None for one that is neither a name nor an index.

    Where a class has a number as its name, a label is a name only.
    """
    index = {name: number for number, name in enumerate(classes)}
    if not any(map(_is_integer, classes)):
        index |= {str(number): number for number in range(len(classes))}
    return index.get


def _is_integer(label: str) -> bool:
    return label.isascii() and label.isdecimal() and len(label) < 19 and str(int(label)) == label


def classes_of(labels: Collection[str], known: Sequence[str] | None) -> list[str]:
    """Class names, from the distinct gold labels and, if given, a model that knows names.

    Args:
        labels: distinct labels as written.
        known: the model's class names, in its order.

    Raises:
        InputError: there are no names, or too many to be classes.
    """
    if not labels and known is None:
        raise InputError("there are no labels to take class names from; name them with --classes")
    if known is not None and all(label in known for label in labels):
        return list(known)
    integers = all(map(_is_integer, labels))
    if integers and known is not None and "0" in labels and None not in map(indexer(known), labels):
        return list(known)
    if len(labels) > MAX_CLASSES:
        raise InputError(f"there are {len(labels):,} different labels; is it the right column? choose with --label")
    return sorted(labels, key=int) if integers else sorted(labels)


def check_class_names(classes: Sequence[str]) -> None:
    """Refuse what cannot be the classes of a store.

    Raises:
        InputError: fewer than two, too many for an int16, one twice, or an empty one.
    """
    if len(classes) > _MAX_INDEX:
        raise InputError(f"there are {len(classes):,} classes; a store holds at most {_MAX_INDEX:,}")
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(name.strip() for name in classes):
        raise InputError(f"classes are {', '.join(map(repr, classes))}; at least two different names are needed")
