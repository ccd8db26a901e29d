"""A label run's request → what is wrong with it, as far as that shows without the teacher in memory.

Importing torch and loading a teacher takes seconds: who has misspelt a folder or a column is told before. Every check
is made again where it counts. No torch.
"""

import dataclasses
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from engine.errors import InputError
from engine.ingest.columns_before import columns_before
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.labels.several_files import columns_by_file, read_together
from engine.inputs.options import ReadOptions
from engine.inputs.paths.file_kinds import DELIMITED, PARQUET, kind_of_file
from engine.inputs.paths.no_rows import no_rows
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.held_card import check_weights
from engine.models.heads import check_names, spelled_as
from engine.models.loading.first_look import FoundModel, find_model
from engine.models.notes.columns_read import as_read_for
from store.errors import MismatchError
from store.families.label_card import LabelCard, label_card
from store.format.header import is_store
from store.format.label_command import answers_command
from store.format.names import check_name
from store.snapshot import check_classes
from store.storage import Storage, open_storage
from store.store import open_store

_FILES = 8
"""Of many files the first ones are looked at."""
_BYTES = 64 << 20
"""Of the largest file that is looked at if it may be read as a whole before its first row is known."""


def look_first(config: LabelConfig) -> None:
    """Refuse a request, as `look_at_request`, whose files are looked at if there is no store.

    Raises:
        EngineError, StoreError: as the run itself.
    """
    storage = open_storage(config.store)
    look_at_request(config, storage, () if is_store(storage) else expand(config.inputs))


def look_at_request(config: LabelConfig, storage: Storage, files: Sequence[str]) -> FoundModel:
    """Refuse a run whose label set, teacher or files cannot be used; the teacher.

    Args:
        config: the request.
        storage: of the store, if there is one.
        files: paths of those that will be read.

    Raises:
        EngineError, StoreError: as the run itself.
    """
    name = config.name or default_name(config.teacher)
    card = saved_card(storage, name) or LabelCard()
    check_has_teacher(card, label_set=name, location=storage.location)
    teacher = find_model(config.teacher, revision_of(config, card))
    check_weights(card, config.teacher, teacher.folder, label_set=name)
    classes, columns = teacher.classes, as_read_for(config.columns, config.teacher)
    if is_store(storage):
        store = open_store(storage)
        columns = dataclasses.replace(columns, before=columns_before(store, teacher=columns.before))
        if classes is not None:
            check_classes(store, spelled_as(classes, store.header.classes), whose=config.teacher)
    elif classes is not None and config.classes is not None:
        check_names(config.teacher, classes, config.classes)
    look_at_inputs(files, columns, config.options)
    return teacher


def look_at_inputs(files: Sequence[str], columns: ColumnNames, options: ReadOptions) -> None:
    """Refuse files that cannot be read, as far as their first rows show it.

    Args:
        files: paths of all.
        columns: names that the user gave.
        options: how they are read.

    Raises:
        InputError: a column is not there, there is no row in all of them, or something else is wrong.
    """
    looked_at = list(islice(filter(_begins_soon, files), _FILES))
    if len(looked_at) < len(files):  # one of the others may have the labels
        columns = dataclasses.replace(columns, label=NO_COLUMN)
    with read_together(files):
        named = columns_by_file(looked_at, columns, options)
        have_rows = [_has_rows(file, names, options) for file, names in named.items()]
    if files and len(looked_at) == len(files) and not any(have_rows):
        raise InputError(no_rows(files))


def _has_rows(file: str, columns: ColumnNames, options: ReadOptions) -> bool:
    """Whether ``file``, whose columns are checked, has a row."""
    return any(len(block.text) for block in read_blocks(file, columns, options))


def _begins_soon(file: str) -> bool:
    """Whether the first row is known before all of a large file is read."""
    return kind_of_file(file) in (PARQUET, DELIMITED) or Path(file).stat().st_size <= _BYTES


def check_has_teacher(card: LabelCard, *, label_set: str, location: str) -> None:
    """Refuse the card of a label set, of the store at ``location``, that no teacher made.

    Raises:
        MismatchError: it was made from answers.
    """
    if card.answers is not None:
        files = ", ".join(file["path"] for file in card.answers.files[:3])
        raise MismatchError(
            f"the label set {label_set!r} was made from answers ({files}), and no teacher labels it: "
            f"`{answers_command(location, label_set, card.answers.to_dict())}` goes on with it, and mends it. Give a "
            "teacher's labels another --name"
        )


def default_name(teacher: str) -> str:
    """A label set's name from the teacher's: the last part of its path, in the characters that a name may have."""
    last = teacher.rstrip("/").rsplit("/", 1)[-1].lower()
    slug = re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:64]
    return check_name(slug or "teacher", what="label set")


def saved_card(storage: Storage, name: str) -> LabelCard | None:
    """The card that an earlier run of this label set froze; None if this is the first."""
    return label_card(open_store(storage).label_set(name)) if is_store(storage) else None


def revision_of(config: LabelConfig, saved: LabelCard) -> str | None:
    """The teacher's revision: that of the saved card if the user gives none."""
    return config.revision or (saved.revision if saved.model == config.teacher else None)
