"""A store → the columns with which its files were read: those of files that belong to it are looked for first."""

from dataclasses import replace

from engine.inputs.by_name.before import ColumnsBefore
from store import Store


def columns_before(store: Store, *, teacher: ColumnsBefore | None = None) -> ColumnsBefore:
    """The columns of all files of ``store``, those of the latest first.

    Args:
        store: the store.
        teacher: the columns that a model was trained on which labels it: they stand in for kinds that the store's files
            lack. A column that the store keeps beside the texts is no label there.
    """
    entries = [entry for segment in reversed(store.header.segments) for entry in segment.inputs if "columns" in entry]
    found = {
        what: tuple(dict.fromkeys(name for entry in entries if (name := entry["columns"].get(what))))
        for what in ("text", "id", "label")
    }
    if teacher is not None:
        teacher = replace(teacher, label=tuple(name for name in teacher.label if name not in store.header.kept))
    return ColumnsBefore(where=store.location, **found).or_of(teacher)
