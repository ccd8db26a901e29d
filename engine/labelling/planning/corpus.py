"""A label run's request and a place → the store there: opened, made, finished, or with rows appended."""

import logging
import shlex
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.ingest.append import append, finish_corpus, given_files
from engine.ingest.ingest import IngestConfig, ingest
from engine.ingest.known_inputs import GivenFiles, refuse_new
from engine.ingest.near_duplicates.marking import check_marking
from engine.inputs.columns import NO_COLUMN
from engine.inputs.labels.classes import indexer
from engine.inputs.labels.spelling import label_map_text, spell
from engine.inputs.messages import counted
from engine.labelling.planning.config import LabelConfig
from engine.models.loading.columns_read import as_read_for
from engine.progress import Tick
from store import Store
from store.errors import MismatchError
from store.format.header import HEADER, check_free, is_store
from store.format.segments import InputEntry, SegmentRecord
from store.storage import Storage
from store.storage.near_stores import near_stores
from store.store import open_store

if TYPE_CHECKING:
    from engine.models.classifier import Classifier

_log = logging.getLogger(__name__)


def given_to(config: LabelConfig, storage: Storage) -> GivenFiles | None:
    """Which inputs the store has; None if there is no store. Before anything is loaded: it may refuse them.

    Raises:
        InputError, MismatchError: there are none of which a store could be made, or the store contradicts the request.
        NewFilesError: the store does not have some, and they are not to be appended.
    """
    if not is_store(storage):
        check_free(storage)
        near = near_stores(storage.location, header=HEADER) if config.append or not config.inputs else ""
        if not config.inputs:
            raise InputError(f"{storage.location} is no store yet{near}; name the files of text to make it from")
        if near:
            raise InputError(
                f"{storage.location} is no store, and --append adds to one{near}. Correct the name, or leave --append "
                "out to make a new store"
            )
        return None
    store = open_store(storage)
    given = given_files(store, config.inputs)
    _check_same(store, config, given)
    if given.new and not config.append:
        refuse_new(store, given.new, is_finished=not store.memoised().corpus.missing())
    return given


def ingest_request(config: LabelConfig) -> IngestConfig:
    """How the inputs of a run are read."""
    return IngestConfig(
        files=config.inputs,
        columns=as_read_for(config.columns, config.teacher),
        options=config.options,
        classes=config.classes,
        shards=config.shards,
        on_bad_row=config.on_bad_row,
        near_duplicates=config.near_duplicates,
    )


def open_or_ingest(
    storage: Storage, config: LabelConfig, model: "Classifier", given: GivenFiles | None, tick: Tick
) -> Store:
    """The store with its corpus: made, finished, or with rows appended. ``given`` is None if there was no store."""
    request = ingest_request(config)
    if given is None and (given := given_to(config, storage)) is None:
        return ingest(storage, request, known=model.classes, tick=tick)
    if config.append and config.inputs:
        return append(storage, request, given=given, tick=tick)
    return finish_corpus(storage, config.inputs, given=given, tick=tick)


def _check_same(store: Store, config: LabelConfig, given: GivenFiles) -> None:
    """Refuse options that the store contradicts: the segments that have some of the inputs, or all if none is named."""
    concerned = [one for one in store.header.segments if not config.inputs or one.segment in given.segments]
    for what, asked in config.columns.to_json().items():
        held = [set(_read_with([one], what)) for one in concerned]
        fitting = ({asked}, {asked, NO_COLUMN}) if what == "label" else ({asked},)  # a file may lack the label
        if asked is not None and any(held) and not any(one in fitting for one in held):
            said = _said(what, _read_with(concerned, what))
            words = f"in {store.location}, {said}, and --{what} is {asked or 'none'}"
            raise MismatchError(f"{words}; {_way(store, what, asked, ids=set(_read_with(concerned, 'id')))}")
    _check_label_map(store, config, concerned, given)
    rejected = sum(one.rejects["rows"] for one in concerned)
    if config.on_bad_row == "fail" and rejected:
        words = f"{store.location} was made with {rejected:,} rows rejected, and --on-bad-row is fail"
        raise MismatchError(f"{words}; label into a new store")
    shards = {one.shards for one in concerned} | {store.layout.shards}
    if config.shards is not None and not given.new and config.shards not in shards:
        raise MismatchError(f"{store.location} has {store.layout.shards} shards, and --shards is {config.shards}")
    if not given.new:
        check_marking(store, config.near_duplicates)
    if config.classes is not None and sorted(config.classes) != sorted(store.header.classes):
        raise MismatchError(
            f"{store.location} has the classes {', '.join(store.header.classes)}, and --classes is "
            f"{', '.join(config.classes)}"
        )


def _check_label_map(store: Store, config: LabelConfig, concerned: Iterable[SegmentRecord], given: GivenFiles) -> None:
    """Refuse a label map with which none of the rows that are there was read; say so if there are new ones as well."""
    entries = [entry for one in concerned for entry in one.inputs if entry["rows"]]
    for label, name in config.options.label_map or ():
        unread = [entry for entry in entries if not _is_mapped(entry, label, name, store.header.classes)]
        if not unread:
            continue
        column, ids = (unread[0]["columns"].get(what) for what in ("label", "id"))
        words = f"{unread[0]['path']} was read into {store.location} without --label-map {label}={name}"
        flags = f" --label-map {label_map_text(list(config.options.label_map or ()))}"
        way = _way(store, "label", column or "LABEL", ids={ids or NO_COLUMN}, more=flags)
        if not given.new:
            raise MismatchError(f"{words}, and its rows stay as they are; {way}")
        _log.warning("%s, and its rows stay as they are; %s", words, way)
        return


def _is_mapped(entry: InputEntry, label: str, name: str, classes: Sequence[str]) -> bool:
    """Whether a file was read with ``label`` as the class ``name``, whichever way that class was said.

    A file that was read has for each label the name of the class that it became, empty if it became none.
    """
    index_of, by_name = indexer(classes), {spell(one).casefold() for one in classes}
    held = dict(map(tuple, entry.get("options", {}).get("label_map", ()))).get(label)
    if held is None:
        held = label if label.casefold() in by_name else None
    elif not held:
        return spell(name).casefold() not in by_name
    before, now = (None if one is None else index_of(spell(one)) for one in (held, name))
    return before is not None and before == now


def _read_with(segments: Iterable[SegmentRecord], what: str) -> dict[str, list[str]]:
    """The columns from which segments have their texts, ids or labels, ``what`` it is; of each, its files' paths."""
    files: dict[str, list[str]] = {}
    for entry in (entry for one in segments for entry in one.inputs if entry["rows"]):
        files.setdefault(entry["columns"].get(what) or NO_COLUMN, []).append(entry["path"])
    return files


def _said(what: str, read_with: dict[str, list[str]]) -> str:
    """Which files were read with which column."""
    parts = []
    for name, paths in sorted(read_with.items()):
        more = f" and {counted(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
        which = f"with the {what} column {name}" if name else f"without a column of {what}s"
        parts.append(f"{paths[0]}{more} {'were' if more else 'was'} read {which}")
    return ", ".join(parts)


def _way(store: Store, what: str, column: str, *, ids: Collection[str], more: str = "") -> str:
    """What to do about a column of the inputs that is not the one from which a store was made.

    Args:
        store: the store.
        what: ``text``, ``id`` or ``label``.
        column: that is asked for.
        ids: columns of ids of the inputs, `NO_COLUMN` of those that have none.
        more: ends the command that reads the labels.
    """
    if what != "label" or not column or not any(ids):
        return f"leave --{what} out, or label into a new store"
    name = shlex.quote(next(filter(None, sorted(ids)))) if len(ids) == 1 else "NAME"
    command = f"engine audit {shlex.quote(store.location)} --gold FILE --id {name} --label {shlex.quote(column)}{more}"
    return f"`{command}` adds the labels of a file by its ids, or label into a new store"
