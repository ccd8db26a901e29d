"""A store → the columns with which its files were read: those of files that belong to it are looked for first."""

from engine.inputs.by_name.choice import ColumnsBefore
from store import Store


def columns_before(store: Store) -> ColumnsBefore:
    """The columns of all files of ``store``, those of the latest first."""
    entries = [entry for segment in reversed(store.header.segments) for entry in segment.inputs if "columns" in entry]
    found = {
        what: tuple(dict.fromkeys(name for entry in entries if (name := entry["columns"].get(what))))
        for what in ("text", "id", "label")
    }
    return ColumnsBefore(where=store.location, **found)
