"""The columns from which the rows of a model's training were read, in its folder: those of files for it come first."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from engine.ingest.columns_before import columns_before
from engine.inputs.by_name.before import KINDS, ColumnsBefore
from engine.inputs.columns import ColumnNames
from store import Store
from store.families.label_card import LabelCard, label_card
from store.storage.atomic_file import write_file

COLUMNS = "columns.json"


def write_columns(folder: Path, columns: ColumnsBefore | None) -> None:
    """Note in the ``folder`` of a model with which ``columns`` its rows were read, unless that is noted there."""
    found = {} if columns is None else {what: names for what in KINDS if (names := columns.of(what))}
    if found and not (folder / COLUMNS).exists():
        write_file(folder / COLUMNS, json.dumps(found, ensure_ascii=False).encode() + b"\n")


def columns_of_model(source: str) -> ColumnsBefore | None:
    """The columns with which the rows of the model in the folder ``source`` were read; None if that is not noted."""
    try:
        held = json.loads((Path(source) / COLUMNS).read_text("utf-8"))
        return ColumnsBefore(where=source, **{what: tuple(map(str, held.get(what, ()))) for what in KINDS})
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def columns_of_store(store: Store, labels: Iterable[str]) -> ColumnsBefore:
    """Those that ``store`` was read with, and of each kind that is not among them those of the teachers of ``labels``.

    Its gold may be by people in a file of their own, and the teacher knows the column of labels.
    """
    columns = columns_before(store)
    for name in labels:
        card = label_card(store.label_set(name)) or LabelCard()
        columns = columns.or_of(None if card.model is None else columns_of_model(card.model))
    return columns


def as_read_for(columns: ColumnNames, source: str) -> ColumnNames:
    """``columns`` of files for the model ``source``: those of its training come first where no others are known."""
    return columns if columns.before is not None else dataclasses.replace(columns, before=columns_of_model(source))
