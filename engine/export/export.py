"""A store → a folder of files of another program.

The same store and choice give the same bytes, also where a run was killed and run again. The folder appears under its
name when all is there; what is there already is never written over.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.export.card import export_card, identity_of
from engine.export.config import HUGGING_FACE, WEBDATASET, ExportConfig, Exported
from engine.export.features import ClassLabels
from engine.export.files import ExportedFile, FileFacts, Written, planned_files
from engine.export.folder import ExportFolder, card_of, work_of_export
from engine.export.hugging_face import README, readme
from engine.export.parquet import NamedClasses, write_parquet
from engine.export.push import check_can_push, push
from engine.export.remote_folder import RemoteExportFolder, remote_card
from engine.export.rows import ExportedRows, check_families, numbers_between
from engine.export.splits import Split, rows_of_splits
from engine.export.tars import write_tar
from engine.inputs.paths.file_kinds import EXPORT_CARD
from engine.outputs.folder import output_folder, place_in_words
from engine.outputs.remote import Remote
from engine.progress import Tick, silent
from store import Store
from store.selections.selection import chosen_rows
from store.store import open_store


def export_store(config: ExportConfig, *, tick: Tick = silent) -> Exported:
    """Export the rows and soft labels of a store.

    Args:
        config: what, and to where.
        tick: told how many rows are done.

    Raises:
        InputError: there is something else at the place, another run makes it, or splits cannot be made.
        StoreMissingError: the store lacks a label set or a selection, or a label set is not complete.
        DamageError: a file of the store is damaged; nothing is at the place then.
        EngineError: it could not be uploaded; the folder is whole.
    """
    started = time.perf_counter()
    out = output_folder(config.out)
    if config.push is not None:
        check_can_push(config.push, out)
    store = open_store(config.store).memoised()
    labels = tuple(store.one_label_set(name) for name in config.labels or (None,))
    for name in labels:
        store.label_set(name).check_complete()
    asked, splits = rows_of_splits(store, config.select, config.splits)
    identity, files = identity_of(store, labels, config), planned_files(config, splits)
    written, card = 0, _card_there(out, identity, files)
    if card is None:
        check_families(store, labels)
        with work_of_export(out) as work:
            folder = ExportFolder(work, out) if isinstance(out, Path) else RemoteExportFolder(work, out)
            written, card = _Writer(store, labels, config, files).write(folder, identity, splits, tick)
            folder.finish()
    pushed = push(out, config.push) if config.push is not None and isinstance(out, Path) else None
    rows = sum(len(split.rows) for split in splits)
    labelled = chosen_rows(store, labels=labels)
    failed = 0 if labelled is None else sum(len(split.rows & ~labelled) for split in splits)
    return Exported(
        out=place_in_words(out, config.out),
        rows=rows,
        failed=failed,
        left_out=len(asked) - rows,
        splits={split.name: len(split.rows) for split in splits if split.name is not None},
        files=len(card["files"]),
        bytes=sum(file["bytes"] for file in card["files"]),
        written=written,
        seconds=round(time.perf_counter() - started, 3),
        pushed=pushed,
    )


def _card_there(out: Path | Remote, identity: dict[str, Any], files: list[ExportedFile]) -> dict[str, Any] | None:
    """The card of the export at ``out``; None if there is none.

    Raises:
        InputError: it is another one, or something else is there.
    """
    card = card_of(out) if isinstance(out, Path) else remote_card(out, [README, *(file.name for file in files)])
    if card is None:
        return None
    other = [name for name, value in identity.items() if card.get(name) != value]
    if other:
        raise InputError(
            f"{out} is another export, with other {' and '.join(other)}; name another folder with --out, or remove it"
        )
    return card


class _Writer:
    """Writes the files of an export.

    Args:
        store: the store.
        labels: names of the label sets.
        config: what is exported.
        files: that hold its rows.
    """

    def __init__(self, store: Store, labels: Sequence[str], config: ExportConfig, files: list[ExportedFile]) -> None:
        self._store, self._labels, self._config, self._files = store, labels, config, files
        self._rows = ExportedRows(store, labels)

    def write(
        self, folder: ExportFolder, identity: dict[str, Any], splits: list[Split], tick: Tick
    ) -> tuple[int, dict[str, Any]]:
        """Write the files that are missing; how many these were, and the card of all."""
        folder.begin(identity)
        written, done, total = 0, 0, sum(file.count for file in self._files)
        for file in self._files:
            tick("exporting rows", done, total)
            written += folder.write(file.name, self._write_of(file))
            done += file.count
        tick("exporting rows", done, total)
        facts = {file.name: folder.facts(file.name) for file in self._files}
        entries = [_entry(file, facts[file.name]) for file in self._files]
        card = export_card(self._store, self._labels, self._rows, identity, entries, splits)
        if self._config.format == HUGGING_FACE:
            folder.write(README, lambda path: _put(path, self._readme(facts)))
        folder.write(EXPORT_CARD, lambda path: _put(path, json.dumps(card, indent=1, ensure_ascii=False) + "\n"))
        return written, card

    def _write_of(self, file: ExportedFile) -> Callable[[Path], None]:
        """What writes ``file`` to a path."""
        classes, numbers = self._store.header.classes, numbers_between(file.rows, file.start, file.stop)
        batches = self._rows.batches(numbers)
        if self._config.format == WEBDATASET:
            return lambda path: write_tar(batches, self._rows.columns, classes, path)
        kind = ClassLabels if self._config.format == HUGGING_FACE else NamedClasses
        shown = kind(self._rows, classes)
        return lambda path: write_parquet(shown.of(batches), shown.schema, path)

    def _readme(self, facts: dict[str, FileFacts]) -> str:
        files: dict[str, list[Written]] = {}
        for file in self._files:
            files.setdefault(file.split, []).append((file, facts[file.name]))
        return readme(self._store, self._labels, self._config.select, self._rows, files)


def _entry(file: ExportedFile, facts: FileFacts) -> dict[str, Any]:
    """What the card says of a file that is there."""
    return {"file": file.name, "rows": file.count, "bytes": facts.bytes, "sha256": facts.sha256}


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
