"""Files of labels → annotations, each with an id and a label, or with its problem. No text is read.

Every format of `engine.inputs.formats`. Of tasks of Label Studio, each annotation is one.
"""

import dataclasses
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.blocks import Problems, RawBlock, label_count_problem
from engine.inputs.check_rows import extra_columns, ids, labels, without_judged_away
from engine.inputs.columns import LabelColumns, find_id
from engine.inputs.formats import read_raw
from engine.inputs.json_files.label_studio import NOT_A_TASK, annotations_of, done, labels_by_control
from engine.inputs.json_files.read_json import JsonFile, open_json
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.refused import lack
from engine.inputs.labels.spelling import LEFT_OUT, spell
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.inputs.paths.file_kinds import JSON, kind_of_file

_LABEL = "label"


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One row of a file of labels.

    Attributes:
        file: path as the user gave it.
        row: its number in the file, from 1; of Label Studio's export, that of the task.
        id: of the text; None if it cannot be used.
        label: as written; None if there is none.
        problem: the reason why it cannot be used, or None.
        not_labels: words of rows near it that were read as no label.
        notes: what a user has to know of how its file is read.
        other_ids: of columns that might have the ids as well, if the user named none: the name of each, and the id.
    """

    file: str
    row: int
    id: str | None
    label: str | None
    problem: str | None = None
    not_labels: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    other_ids: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.file} row {self.row:,}"


def read_annotations(
    file: str,
    wanted: LabelColumns,
    options: ReadOptions = FOUND_OUT,
    *,
    classes: Sequence[str] = (),
    beside: NamesBeside | None = None,
) -> Iterator[Annotation]:
    """The annotations of ``file``, in its order.

    Args:
        file: where it is.
        wanted: column names that the user gave.
        options: how it is read.
        classes: class names that are known.
        beside: takes in what other columns say of the labels.

    Raises:
        InputError: it cannot be read, holds no annotated tasks, or has no column of ids or of labels.
    """
    source = open_json(file, wanted, options.encoding) if kind_of_file(file) == JSON else None
    if source is not None and source.has_tasks:
        yield from _of_tasks(source, wanted, options)
        return
    if source is not None and not source.layout.is_lines and next(source.objects(), None) is None:
        raise InputError(f"{file} holds no annotated tasks: it is an empty JSON array; annotate some and export again")
    for raw in read_raw(file, wanted, options):
        if raw.columns.label is None or raw.columns.id is None:
            raise InputError(f"{file}: text alone has no labels; give a file with a column of ids and one of labels")
        yield from _of_block(raw, file, options, beside or NamesBeside(classes), classes)


@dataclass(frozen=True, kw_only=True)
class LabelRows:
    """Rows of a block as Arrow columns; what `Annotation` says of one row is said of all.

    Attributes:
        id: string array; null where a row cannot be used.
        label: string array, in the one spelling of labels; null where there is none.
        written: the same before what annotation tools rejected became null.
        extras: the columns beside them, by the names under which they are kept.
        problems: the reason a row why it cannot be used, or None; that it has no label is not among them.
        not_labels: words that were read as no label.
        notes: what a user has to know of how the file is read.
        other_ids: of columns that might have the ids as well: their values.
    """

    id: pa.Array
    label: pa.Array
    written: pa.Array
    extras: dict[str, pa.Array]
    problems: Problems
    not_labels: frozenset[str]
    notes: tuple[str, ...]
    other_ids: dict[str, list[str | None]]


def label_rows(
    raw: RawBlock,
    file: str,
    options: ReadOptions,
    beside: NamesBeside,
    classes: Sequence[str],
    *,
    apart: Collection[str] = (),
) -> LabelRows:
    """The rows of a block of ``file``; arguments as of `read_annotations`.

    Those columns that are kept under the names ``apart`` are known to say nothing of the labels.
    """
    problems = list(raw.problems)
    row_ids = ids(raw, file, problems)
    notes = [*raw.reading.notes, *raw.columns.doubts]
    written, words = labels(raw, file, problems, notes, label_map=options.label_map, classes=classes)
    extras = extra_columns(raw, file, problems, [])
    label = without_judged_away(written, extras)
    said = {name: values for name, values in extras.items() if name not in apart}
    beside.add(file, raw.columns, label, said, raw.reading.numbered)
    return LabelRows(
        id=row_ids,
        label=label,
        written=written,
        extras=extras,
        problems=problems,
        not_labels=words,
        notes=tuple(notes),
        other_ids={name: extras[name].cast(pa.string()).to_pylist() for name in raw.columns.other_ids},
    )


def _of_block(
    raw: RawBlock, file: str, options: ReadOptions, beside: NamesBeside, classes: Sequence[str]
) -> Iterator[Annotation]:
    rows = label_rows(raw, file, options, beside, classes)
    columns = rows.id.to_pylist(), rows.label.to_pylist(), rows.written.to_pylist()
    for row, (id_, label, written, problem) in enumerate(zip(*columns, rows.problems, strict=True), raw.first_row):
        at = row - raw.first_row
        other_ids = tuple((name, other) for name, values in rows.other_ids.items() if (other := values[at]))
        yield Annotation(
            file=file,
            row=row,
            id=id_,
            label=label,
            problem=problem or lack(label, written),
            not_labels=rows.not_labels,
            notes=rows.notes,
            other_ids=other_ids,
        )


def _of_tasks(source: JsonFile, wanted: LabelColumns, options: ReadOptions) -> Iterator[Annotation]:
    """The annotations of each task. A task without a key of ids has a problem.

    Raises:
        InputError: no task has such a key.
    """
    notes = _notes_on_ids(source, wanted)
    for row, (task, problem, _) in enumerate(source.objects(), start=1):
        key, why, _ = _id_key(task, wanted)
        if key is None:
            yield Annotation(file=source.path, row=row, id=None, label=None, problem=problem or why)
        else:
            for one in _of_task(task, key, row, source.path, wanted):
                yield _renamed(one, dict(options.label_map or ()), notes)


def _renamed(one: Annotation, names: dict[str, str], notes: tuple[str, ...]) -> Annotation:
    """An annotation with ``notes`` and the name that the user gave to its label, empty if that is no label."""
    label = None if one.label is None else names.get(spell(one.label), one.label) or None
    problem = one.problem or (lack(label) if label or one.label is None else LEFT_OUT)
    return dataclasses.replace(one, label=label, problem=problem, notes=notes)


def _notes_on_ids(source: JsonFile, wanted: LabelColumns) -> tuple[str, ...]:
    """Notes on where the first task with an id has it. Tasks none of which has one are refused."""
    first: str | None = None
    for task, problem, _ in source.objects():
        key, why, notes = _id_key(task, wanted)
        if key is not None:
            return notes
        first = first or problem or why
    raise InputError(f"{source.path}: no task has an id. Row 1: {first}")


def _id_key(task: dict[str, Any], wanted: LabelColumns) -> tuple[str | None, str | None, tuple[str, ...]]:
    """The key in a task's data that holds its id, or None and the reason; and notes on the choice."""
    if annotations_of(task) is None:
        return None, NOT_A_TASK, ()
    try:
        key, notes = find_id(list(task["data"]), wanted, file="the task's data")
        return key, None, notes
    except InputError as error:
        return None, str(error), ()


def _of_task(task: dict[str, Any], key: str, row: int, file: str, wanted: LabelColumns) -> Iterator[Annotation]:
    """The annotations of a task that were not skipped; one with a problem if all were."""
    id_, given = _text(task["data"][key]), annotations_of(task) or []
    counted = done(given)
    if id_ is None:
        yield Annotation(file=file, row=row, id=None, label=None, problem="id is null")
    elif not counted:
        problem = "it was skipped: there is no label" if given else "label is null"
        yield Annotation(file=file, row=row, id=id_, label=None, problem=problem)
    else:
        for label, why in (_choice(annotation, wanted.label) for annotation in counted):
            yield Annotation(file=file, row=row, id=id_, label=label, problem=why)


def _text(value: Any) -> str | None:
    """An id as written; None if ``value`` cannot be one."""
    if value is None or isinstance(value, dict | list) or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _choice(annotation: dict[str, Any], wanted: str | None) -> tuple[str | None, str | None]:
    """The chosen class, or None and the reason why it is unknown."""
    chosen = labels_by_control(annotation)
    if not chosen or (wanted is not None and wanted not in chosen):
        return None, "label is null"
    name = wanted or (next(iter(chosen)) if len(chosen) == 1 else _LABEL)
    if name not in chosen:
        return None, f"{' and '.join(map(repr, chosen))} are chosen; say with --label which one is the label"
    labels = chosen[name]
    if len(labels) > 1:
        return None, label_count_problem(len(labels))
    return (labels[0], None) if labels else (None, "label is null")
