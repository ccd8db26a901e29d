"""The columns from which the rows of a model's training were read, in its folder: those of files for it come first."""

import dataclasses
import json
from pathlib import Path

from engine.inputs.by_name.choice import ColumnsBefore
from engine.inputs.columns import ColumnNames
from store.storage.atomic_file import write_file

COLUMNS = "columns.json"
_KINDS = ("text", "id", "label")


def write_columns(folder: Path, columns: ColumnsBefore | None) -> None:
    """Note in the ``folder`` of a model with which ``columns`` its rows were read, unless that is noted there."""
    found = {} if columns is None else {what: names for what in _KINDS if (names := getattr(columns, what))}
    if found and not (folder / COLUMNS).exists():
        write_file(folder / COLUMNS, json.dumps(found, ensure_ascii=False).encode() + b"\n")


def columns_of_model(source: str) -> ColumnsBefore | None:
    """The columns with which the rows of the model in the folder ``source`` were read; None if that is not noted."""
    try:
        held = json.loads((Path(source) / COLUMNS).read_text("utf-8"))
        return ColumnsBefore(where=source, **{what: tuple(map(str, held.get(what, ()))) for what in _KINDS})
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def with_missing(columns: ColumnsBefore, others: ColumnsBefore | None) -> ColumnsBefore:
    """``columns``, and of each kind that is not among them those of ``others``."""
    if others is None:
        return columns
    return dataclasses.replace(columns, **{what: getattr(columns, what) or getattr(others, what) for what in _KINDS})


def as_read_for(columns: ColumnNames, source: str) -> ColumnNames:
    """``columns`` of files for the model ``source``: those of its training come first where no others are known."""
    return columns if columns.before is not None else dataclasses.replace(columns, before=columns_of_model(source))
