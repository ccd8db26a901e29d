"""Files of labels by id → one more round of gold in a store. Knows nothing of models."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.ingest.columns_before import columns_before
from engine.ingest.ids.near_ids import (
    NOT_THERE,
    SHOWN_OF_AN_ID,
    absent,
    asked_for,
    check_other_ids,
    exact,
    loose,
    meant_by,
    why_not,
    why_rejected,
    words_of_ids,
)
from engine.inputs.blocks import in_detail
from engine.inputs.columns import LabelColumns
from engine.inputs.formats import expand
from engine.inputs.labels.annotations import Annotation, read_annotations
from engine.inputs.labels.classes import check_not_foreign, index_labels
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.refused import left_out_note, refused_lines, unknown_label
from engine.inputs.labels.several_files import read_together
from engine.inputs.labels.spelling import LEFT_OUT
from engine.inputs.messages import SHOWN, counted, listed, merged, no_usable_row, not_labels_note, several
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.progress import Tick, silent
from store import Store
from store.gold.add_round import Labelled, add_round, first_id, gold_before, rows_of_ids
from store.rows.rejected_ids import RejectedIds
from store.selections.csv_safe import plain_cell
from store.storage import Storage
from store.store import open_store

_log = logging.getLogger(__name__)
_MOST_OF_A_SOURCE = 200  # characters


@dataclass(frozen=True, kw_only=True)
class GoldRoundConfig:
    """What to add.

    Attributes:
        store: its location, or a `Storage`.
        inputs: paths and globs.
        columns: column names that the user gave.
        options: how the files are read.
        source: where the labels are from; the name of each file where None.
        on_bad_row: ``reject`` or ``fail``.
    """

    store: str | Storage
    inputs: tuple[str, ...]
    columns: LabelColumns = field(default_factory=LabelColumns)
    options: ReadOptions = FOUND_OUT
    source: str | None = None
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        check_on_bad_row(self.on_bad_row)
        if self.source is not None and (not self.source.strip() or not self.source.isprintable()):
            raise InputError(f"--source is {self.source!r}; it must be a name that can be printed")
        if self.source is not None and len(self.source) > _MOST_OF_A_SOURCE:
            raise InputError(f"--source has {len(self.source):,} characters; {_MOST_OF_A_SOURCE} are enough")


@dataclass(frozen=True, kw_only=True)
class GoldRound:
    """The round that was added.

    Attributes:
        store: its location.
        round: the number of the round.
        added: its rows; 0 if the same labels were that round already.
        agreeing: rows of the round whose gold label was the same before.
        contradicting: those whose gold label was another one; the new one holds.
        first: those that had none.
        rejected: input rows that were refused.
        reasons: the first of them, each as ``file row N: reason``.
    """

    store: str
    round: int
    added: int
    agreeing: int
    contradicting: int
    first: int
    rejected: int
    reasons: list[str]


def add_gold(config: GoldRoundConfig, *, tick: Tick = silent) -> GoldRound:
    """Add the labels of ``config.inputs`` as a round of gold.

    An id that comes again with the same label counts once; where its labels differ, all its rows are refused.

    Raises:
        InputError: nothing usable is there, or a row is bad and ``on_bad_row`` is ``fail``.
        StoreError: the store is not finished, or damaged.
    """
    store = open_store(config.store)
    files = expand(config.inputs)
    given: list[Annotation] = []
    beside, classes = NamesBeside(store.header.classes), store.header.classes
    columns = replace(config.columns, before=columns_before(store))
    with read_together(files, with_texts=False):
        for file in files:
            given += read_annotations(file, columns, config.options, classes=classes, beside=beside)
            tick("reading labels", len(given), None)
    labelled, refused = _judge(store, given, config, beside)
    reasons = refused_lines(refused)
    if reasons and config.on_bad_row == "fail":
        raise InputError(f"{several(reasons)}. Mend or drop the row, or pass --on-bad-row=reject")
    of_ids = [(one.place, one.id) for one in given if one.problem is None and one.label is not None and one.id]
    said, example = [": ".join(one) for one in refused], partial(first_id, store)
    words = words_of_ids(of_ids, said, store=store.location, example=example)
    if not len(labelled.rows):
        none = no_usable_row(files, len(refused), reasons)
        if NOT_THERE in none and not words:
            words = [f"An id of the store is {first_id(store)[:SHOWN_OF_AN_ID]!r}"]
        raise InputError(". ".join([none, *words]))
    for note in words:
        _log.info("%s", note)
    number, is_new = add_round(store, labelled)
    before = gold_before(store, labelled.rows, number)
    agreeing, first = int((before == labelled.labels).sum()), int((before < 0).sum())
    return GoldRound(
        store=store.location,
        round=number,
        added=len(labelled.rows) if is_new else 0,
        agreeing=agreeing,
        contradicting=len(before) - agreeing - first,
        first=first,
        rejected=len(refused),
        reasons=reasons[:SHOWN],
    )


def _judge(
    store: Store, given: list[Annotation], config: GoldRoundConfig, beside: NamesBeside
) -> tuple[Labelled, list[tuple[str, str]]]:
    """The labels that can be used, and the place of each other annotation and why it cannot, in their order."""
    every, mapped = len(given), config.options.label_map or ()
    given = [one for one in given if one.problem != LEFT_OUT]
    ids = {one.id for one in given if one.id is not None}
    known = rows_of_ids(store, asked_for(ids) | {other for one in given for _, other in one.other_ids})
    check_other_ids([(one.id, one.other_ids) for one in given if one.other_ids], known)
    where = listed(sorted({one.file for one in given})[:3])
    words = frozenset[str]().union(*{one.not_labels for one in given})
    labels_given = {_plain(one.label) for one in given if one.label is not None}
    classes = store.header.classes
    found = index_labels(labels_given, classes, where=where, not_labels=words, beside=beside)
    check_not_foreign(found, classes, where=where, beside=beside)
    refused, unknown = _refused(store, ids, known), partial(unknown_label, found=found, classes=classes, mapped=mapped)
    judged = [_judge_one(one, known, refused, found.index, unknown) for one in given]
    labels: dict[int, dict[int, Annotation]] = {}
    for one, (row, label, problem) in zip(given, judged, strict=True):
        if problem is None:
            labels.setdefault(row, {}).setdefault(label, one)
    notes = merged((note for one in given for note in one.notes), {one.file for one in given})
    notes += [*found.notes, *([not_labels_note(words, classes)] if words else []), *left_out_note(every - len(given))]
    usable = (one.id or "" for one, (_, _, problem) in zip(given, judged, strict=True) if problem is None)
    if padded := sum(known.keys().isdisjoint(exact(id_)) for id_ in usable):
        notes.append(f"{where}: {counted(padded, 'id')} found without the white space around, or the .0 behind")
    for note in notes:
        _log.info("%s", note)
    problems = (
        problem or _conflict(one, labels[row], classes) for one, (row, _, problem) in zip(given, judged, strict=True)
    )
    of_all = zip(given, problems, strict=True)
    return _labelled(labels, config.source), [(one.place, in_detail(problem)) for one, problem in of_all if problem]


def _refused(store: Store, ids: set[str], known: dict[str, int]) -> dict[str, str]:
    """Why rows of ids that the store does not have were refused, of those of ``ids`` of which this is known."""
    lost = [id_ for id_ in ids if not meant_by(id_, known)]
    return RejectedIds(store).reasons(other for id_ in lost for other in (*exact(id_), *loose(id_))) if lost else {}


def _judge_one(
    one: Annotation,
    known: dict[str, int],
    refused: dict[str, str],
    index: dict[str, int],
    unknown: Callable[[str], str],
) -> tuple[int, int, str | None]:
    """Row number and class index, or what is wrong."""
    if one.problem is not None or one.id is None or one.label is None:
        return -1, -1, one.problem or "id or label is null"
    ids = meant_by(one.id, known)
    if len(ids) != 1:
        is_rejected = None if ids else why_rejected(one.id, refused)
        return -1, -1, absent(one.id, is_rejected or why_not(one.id, ids, known))
    label = index.get(_plain(one.label))
    if label is None:
        return -1, -1, unknown(one.label)
    return known[ids[0]], label, None


def _plain(label: str) -> str:
    """``label``, also of a cell that was made harmless for a spreadsheet."""
    return plain_cell(label) or label


def _conflict(one: Annotation, others: dict[int, Annotation], classes: list[str]) -> str | None:
    """What contradicts a usable annotation: none of an id's labels is taken where they differ."""
    if len(others) == 1:
        return None
    words = " and ".join(f"{classes[label]!r} in {other.place}" for label, other in list(others.items())[:3])
    return f"id {(one.id or '')[:SHOWN_OF_AN_ID]!r} has different labels: {words}"


def _labelled(labels: dict[int, dict[int, Annotation]], source: str | None) -> Labelled:
    agreed = sorted((row, *next(iter(of.items()))) for row, of in labels.items() if len(of) == 1)
    return Labelled(
        rows=np.array([row for row, _, _ in agreed], np.int64),
        labels=np.array([label for _, label, _ in agreed], np.int16),
        sources=[source or _name(one.file) for _, _, one in agreed],
    )


def _name(file: str) -> str:
    """Name of a file as a source."""
    return "".join(char if char.isprintable() else "\ufffd" for char in Path(file).name)[:_MOST_OF_A_SOURCE]
