"""Files of labelled text → texts and class indices in memory, for fine-tuning and evaluation."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.errors import InputError, MissingColumnError
from engine.inputs.blocks import in_detail
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.columns import ColumnNames, Columns, columns_of
from engine.inputs.formats import expand
from engine.inputs.labels.class_rows import class_counts, class_warnings
from engine.inputs.labels.classes import check_class_names, check_not_foreign, classes_of, doubtful_names, index_labels
from engine.inputs.labels.gold_rows import (
    GoldRow,
    first_refused,
    label_counts,
    refuse_repeats,
    rows_of,
    without_left_out,
)
from engine.inputs.labels.likely_column import likely_labels, possible_labels
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.near_classes import near_classes, near_warnings
from engine.inputs.labels.refused import left_out_note, refused_lines, unknown_label
from engine.inputs.labels.several_files import copies_notes, read_together
from engine.inputs.labels.splits_in_column import SplitColumns
from engine.inputs.messages import SHOWN, listed, merged, no_label_column, no_usable_row, not_labels_note, several
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.inputs.paths.copies import FIRST_TEXTS, CopyFinder
from engine.inputs.paths.label_lines import joined, labels_beside
from engine.inputs.shapes.marks import way_of_columns

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GoldConfig:
    """Where labelled text is and how to read it.

    Attributes:
        files: paths and globs.
        apart: those of another set, which is read behind them and has the same classes; an id may be in both sets.
        columns: names that the user gave.
        options: how the files are read.
        classes: class names, in order; those of the files or of the labels if None.
        expects_all: the user named the classes for these files: each is to have a row, or no other label may be there.
        on_bad_row: ``reject`` or ``fail``.
        limit: use this many rows, chosen at random by ``seed``; all if None.
        seed: of the choice.
    """

    files: tuple[str, ...]
    apart: tuple[str, ...] = ()
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    classes: tuple[str, ...] | None = None
    expects_all: bool = False
    on_bad_row: str = "reject"
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"the limit is {self.limit} rows; it must be at least 1")
        check_on_bad_row(self.on_bad_row)


@dataclass(frozen=True, kw_only=True)
class Gold:
    """Labelled texts.

    Attributes:
        texts: the texts.
        labels: (rows,) int64, indices into ``classes``.
        classes: class names.
        rejected: how many rows were refused.
        reasons: the first of them, each as ``file row N: reason``.
        ids: of the texts, ``file:row`` if no column has them; empty where they were not read.
        read_from: the columns of the files; None if they are of no files.
    """

    texts: list[str]
    labels: npt.NDArray[np.int64]
    classes: list[str]
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    read_from: ColumnsBefore | None = None


def read_gold(config: GoldConfig) -> Gold:
    """Read labelled rows.

    Raises:
        InputError: nothing usable is there, the labels are counted from 1 or are no classes at all, a class without a
            row seems to be misspelt, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    files = expand((*config.files, *config.apart))
    copies = copies_notes(files, (*config.files, *config.apart), config.columns, config.options)
    with read_together(files, classes=config.classes or ()):
        rows, said = _read_rows(config, files)
    if config.classes is None:
        refuse_repeats(rows)
    classes = _classes(rows, said, config)
    where, labels = listed(config.files[:3]), {row.label for row in rows if row.label is not None}
    found = index_labels(
        labels, classes, where=where, not_labels=said.not_labels, columns=said.columns, beside=said.beside
    )
    counts = label_counts(rows)
    warnings = class_warnings(
        counts, found, classes, where=where, expects_all=config.expects_all, mapped=config.options.label_map or ()
    )
    check_not_foreign(found, classes, where=where, beside=said.beside, more=first_refused(rows))
    for row in rows:
        if row.problem is None and row.label in found.unknown:
            row.problem = unknown_label(row.label, found, classes, mapped=config.options.label_map or ())
    refuse_repeats(rows)
    rows, left_out = without_left_out(rows)
    reasons = refused_lines((row.place, in_detail(row.problem)) for row in rows if row.problem is not None)
    if reasons and config.on_bad_row == "fail":
        raise InputError(f"{several(reasons)}. Mend the row or pass --on-bad-row=reject")
    doubts: list[str] = []
    if config.classes is None:
        rows_of_class = class_counts(counts, found, classes)
        near = {} if said.named else near_classes(rows_of_class)
        doubts = doubtful_names([name for name in classes if name not in near])
        warnings += near_warnings(rows_of_class, near, mapped=config.options.label_map or ())
    for warning in warnings:
        _log.warning("%s: %s", where, warning)
    for note in merged([*copies, *said.notes, *doubts, *found.notes, *left_out_note(left_out)], said.files):
        _log.info("%s", note)
    gold = _gold(rows, found.index, classes, reasons, config)
    return dataclasses.replace(gold, read_from=columns_of(said.read_with, where=where))


@dataclass(kw_only=True)
class _Said:
    """What files say: of their labels the columns, the classes and those of columns beside them; how they are read."""

    files: list[str] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    named: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    not_labels: set[str] = field(default_factory=set)
    read_with: list[Columns] = field(default_factory=list)
    beside: NamesBeside


def _read_rows(config: GoldConfig, files: list[str]) -> tuple[list[GoldRow], _Said]:
    """Every row of the files, in their order.

    Raises:
        InputError: a folder has two versions of a file, or a column says that rows are of several splits.
    """
    rows: list[GoldRow] = []
    said = _Said(files=files, beside=NamesBeside(config.classes or ()))
    copies, splits = CopyFinder((*config.files, *config.apart)), SplitColumns()
    apart = set(expand(config.apart)) if config.apart else set[str]()
    for file in said.files:
        first = len(rows)
        for number, block in enumerate(read_blocks(file, config.columns, config.options, classes=config.classes or ())):
            if block.reading.columns.label is None:
                raise MissingColumnError(f"{file}: {_no_label(file, block, config.classes or ())}")
            said.columns.add(block.reading.columns.label)
            if number == 0:
                said.read_with.append(block.reading.columns)
                said.notes += block.reading.notes
                said.doubts += [doubt for doubt in block.reading.columns.doubts if ": the label is read " in doubt]
                said.named += [] if block.reading.classes is None else [block.reading.classes]
            said.not_labels |= block.not_labels
            said.beside.add(file, block.reading.columns, block.label, block.extras, block.reading.numbered)
            splits.add(file, block.reading.columns, block.extras)
            rows += rows_of(block, is_apart=file in apart)
            if number == 0 and not config.options.whole_files:
                copies.check(file, [row.text for row in rows[first : first + FIRST_TEXTS]])
        if len(files) > 1 and not config.options.whole_files:
            said.notes += copies.notes(file, [(row.text, row.label) for row in rows[first:]])
    splits.check()
    if said.not_labels:
        said.notes.append(not_labels_note(said.not_labels, config.classes))
    return rows, said


def _no_label(file: str, block: Block, classes: Sequence[str]) -> str:
    """An error: a file, of which ``block`` is the first, has no column of labels."""
    if labels := labels_beside(file):
        return f"it has no labels, and {labels} has one for each line: put both together: {joined(file, labels)}"
    columns = {name: array.cast(pa.string()).to_pylist() for name, array in block.extras.items()}
    found = block.reading.columns
    likely = found.given(likely_labels(block.extras, classes) or possible_labels(block.extras))
    return f"{no_label_column(found, likely)}{way_of_columns(file, columns, classes, found.said)}"


def _classes(rows: list[GoldRow], said: _Said, config: GoldConfig) -> list[str]:
    """The classes that the user gave, or those of the files or the labels.

    Raises:
        InputError: no row is usable, or the labels make no classes.
    """
    labels = {row.label for row in rows if row.label is not None}
    if not labels:
        reasons = [f"{row.place}: {in_detail(row.problem)}" for row in rows if row.problem is not None]
        raise InputError(". ".join([no_usable_row(said.files, len(reasons), reasons), *said.doubts]))
    if config.classes is not None:
        check_class_names(config.classes)
        return list(config.classes)
    by_map = tuple(dict.fromkeys(name for _, name in config.options.label_map or () if name))
    named = by_map or (said.named[0] if len(set(said.named)) == 1 else ())
    classes = classes_of(labels, named=named)
    try:
        check_class_names(classes)
    except InputError as error:
        words = f". {not_labels_note(said.not_labels, None)}" if said.not_labels else ""
        raise InputError(f"{listed(config.files[:3])}: {error}{words}{first_refused(rows)}") from None
    return classes


def _gold(
    rows: list[GoldRow], index: dict[str, int], classes: list[str], reasons: list[str], config: GoldConfig
) -> Gold:
    usable = [(row.text, index[row.label], row.id) for row in rows if row.problem is None and row.label is not None]
    if not usable:
        raise InputError(no_usable_row(list(config.files), len(rows), reasons))
    gold = Gold(
        texts=[text for text, _, _ in usable],
        labels=np.array([label for _, label, _ in usable], np.int64),
        classes=classes,
        rejected=len(rows) - len(usable),
        reasons=reasons[:SHOWN],
        ids=[id_ for _, _, id_ in usable],
    )
    return gold if config.limit is None else sampled(gold, config.limit, config.seed)


def sampled(gold: Gold, limit: int, seed: int) -> Gold:
    """``limit`` rows of ``gold``, chosen at random by ``seed``; all if they are fewer."""
    if limit >= len(gold.texts):
        return gold
    chosen = np.sort(np.random.default_rng(seed).permutation(len(gold.texts))[:limit])
    texts, ids = ([rows[row] for row in chosen] if rows else [] for rows in (gold.texts, gold.ids))
    return dataclasses.replace(gold, texts=texts, labels=gold.labels[chosen], ids=ids)
