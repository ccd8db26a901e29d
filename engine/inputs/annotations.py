"""Files of labels → annotations, each with an id and a label, or with its problem. No text is read.

Every format of `engine.inputs.formats`, and JSON arrays as Label Studio writes them: its JSON export (tasks, each with
``data`` and ``annotations``) and JSON-MIN (one flat object an annotation).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.inputs.blocks import RawBlock, blocks_of_rows
from engine.inputs.check_rows import ids, labels
from engine.inputs.columns import LabelColumns, find_columns, find_id
from engine.inputs.formats import read_raw
from engine.inputs.json_lines import is_json_array, json_row
from engine.inputs.lines import open_lines
from engine.inputs.options import FOUND_OUT, Reading, ReadOptions

_LABEL = "label"
_EMPTY_ARRAY = re.compile(rb"\s*\[\s*\]\s*")
_NOT_A_TASK = "it is not a task: it has no data or no annotations"


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One row of a file of labels.

    Attributes:
        file: path as the user gave it.
        row: its number in the file, from 1; of Label Studio's export, that of the task.
        id: of the text; None if it cannot be used.
        label: as written; None if there is none.
        problem: the reason why it cannot be used, or None.
    """

    file: str
    row: int
    id: str | None
    label: str | None
    problem: str | None = None

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.file} row {self.row:,}"


def read_annotations(
    file: str, wanted: LabelColumns, options: ReadOptions = FOUND_OUT, *, classes: Sequence[str] = ()
) -> Iterator[Annotation]:
    """The annotations of ``file``, in its order.

    Args:
        file: where it is.
        wanted: column names that the user gave.
        options: how it is read.
        classes: class names that are known.

    Raises:
        InputError: it cannot be read, holds no annotated tasks, or has no column of ids or of labels.
    """
    if ".json" in Path(file).suffixes:
        if is_json_array(file):
            yield from _read_array(file, wanted, options, classes)
            return
        if _is_empty_array(file):
            raise InputError(
                f"{file} holds no annotated tasks: it is an empty JSON array; annotate some and export again"
            )
    for raw in read_raw(file, wanted, options):
        if raw.columns.label is None or raw.columns.id is None:
            raise InputError(f"{file}: text alone has no labels; give a file with a column of ids and one of labels")
        yield from _of_block(raw, file, options, classes)


def _is_empty_array(file: str) -> bool:
    with open_lines(file) as source:
        return _EMPTY_ARRAY.fullmatch(source.read(4096)) is not None


def _of_block(raw: RawBlock, file: str, options: ReadOptions, classes: Sequence[str]) -> Iterator[Annotation]:
    problems = list(raw.problems)
    row_ids, (label_array, _) = (
        ids(raw, file, problems),
        labels(raw, file, problems, label_map=options.label_map, classes=classes),
    )
    columns = row_ids.to_pylist(), label_array.to_pylist()
    for row, (id_, label, problem) in enumerate(zip(*columns, problems, strict=True), start=raw.first_row):
        yield Annotation(file=file, row=row, id=id_, label=label, problem=problem or _lack(label))


def _lack(label: str | None) -> str | None:
    return "label is null" if label is None else None


def _read_array(file: str, wanted: LabelColumns, options: ReadOptions, classes: Sequence[str]) -> Iterator[Annotation]:
    try:
        with open_lines(file) as source:
            objects = json.load(source)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if any(not isinstance(value, dict) for value in objects):
        raise InputError(f"{file} is a JSON array, but not of objects")
    if any(isinstance(value.get("annotations"), list) for value in objects):
        yield from _read_tasks(objects, file, wanted)
        return
    names = list(dict.fromkeys(name for value in objects for name in value))
    if names:
        columns = find_columns(names, wanted, file=file)
        for raw in blocks_of_rows((json_row(value, None, columns) for value in objects), Reading(columns=columns)):
            yield from _of_block(raw, file, options, classes)


def _read_tasks(tasks: list[dict[str, Any]], file: str, wanted: LabelColumns) -> Iterator[Annotation]:
    """The annotations of each task. A task without a key of ids has a problem.

    Raises:
        InputError: no task has such a key.
    """
    keys = [_id_key(task, wanted) for task in tasks]
    if all(key is None for key, _ in keys):
        raise InputError(f"{file}: no task has an id. Row 1: {keys[0][1]}")
    for row, (task, (key, problem)) in enumerate(zip(tasks, keys, strict=True), start=1):
        if key is None:
            yield Annotation(file=file, row=row, id=None, label=None, problem=problem)
        else:
            yield from _of_task(task, key, row, file, wanted)


def _id_key(task: dict[str, Any], wanted: LabelColumns) -> tuple[str | None, str | None]:
    """The key in a task's data that holds its id, or None and the reason."""
    data = task.get("data")
    if not isinstance(data, dict) or not isinstance(task.get("annotations"), list):
        return None, _NOT_A_TASK
    try:
        return find_id(list(data), wanted, file="the task's data"), None
    except InputError as error:
        return None, str(error)


def _of_task(task: dict[str, Any], key: str, row: int, file: str, wanted: LabelColumns) -> Iterator[Annotation]:
    """The annotations of a task that were not skipped; one with a problem if all were."""
    id_, given = _text(task["data"][key]), task["annotations"]
    done = [one for one in given if isinstance(one, dict) and not one.get("was_cancelled")]
    if id_ is None:
        yield Annotation(file=file, row=row, id=None, label=None, problem="id is null")
    elif not done:
        problem = "it was skipped: there is no label" if given else "label is null"
        yield Annotation(file=file, row=row, id=id_, label=None, problem=problem)
    else:
        for label, why in (_choice(annotation, wanted.label) for annotation in done):
            yield Annotation(file=file, row=row, id=id_, label=label, problem=why)


def _text(value: Any) -> str | None:
    """An id as written; None if ``value`` cannot be one."""
    if value is None or isinstance(value, dict | list) or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _choice(annotation: dict[str, Any], wanted: str | None) -> tuple[str | None, str | None]:
    """The chosen class, or None and the reason why it is unknown."""
    chosen = _choices_by_control(annotation.get("result"))
    if not chosen or (wanted is not None and wanted not in chosen):
        return None, "label is null"
    name = wanted or (next(iter(chosen)) if len(chosen) == 1 else _LABEL)
    if name not in chosen:
        return None, f"{' and '.join(map(repr, chosen))} are chosen; say with --label which one is the label"
    choices = chosen[name]
    return (choices[0], None) if len(choices) == 1 else (None, f"{len(choices)} classes are chosen, and a text has one")


def _choices_by_control(results: Any) -> dict[str, list[str]]:
    """The chosen classes by the control of Label Studio's form that they were chosen with."""
    chosen: dict[str, list[str]] = {}
    for result in results if isinstance(results, list) else []:
        match result:
            case {"value": {"choices": list() as choices}}:
                chosen.setdefault(str(result.get("from_name")), []).extend(map(str, choices))
    return chosen
