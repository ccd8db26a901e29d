"""Tasks as Label Studio exports them in JSON → their data as a row, and the labels that annotators gave them.

A task has ``data`` and ``annotations``, which were called ``completions`` before version 1.0.
"""

import json
from typing import Any

from engine.errors import InputError
from engine.inputs.blocks import Reason
from engine.inputs.columns import NO_COLUMN, ColumnNames, find_columns

NOT_A_TASK = Reason("it is not a task: it has no data or no annotations")
_ANNOTATIONS = ("annotations", "completions")
_OF_TASKS = {*_ANNOTATIONS, "predictions"}


def is_task(values: dict[str, Any]) -> bool:
    """Whether an object is a task, annotated or not."""
    data = values.get("data")
    if not isinstance(data, dict):
        return False
    is_plain = any(not isinstance(value, dict | list) for value in data.values())
    return not _OF_TASKS.isdisjoint(values) or (values.keys() <= {"id", "data"} and is_plain)


def annotations_of(task: dict[str, Any]) -> list[Any] | None:
    """The annotations of a task, skipped ones among them; None if it is not one, or was not exported with them."""
    found = [task[name] for name in _ANNOTATIONS if isinstance(task.get(name), list)]
    return found[0] if found and isinstance(task.get("data"), dict) else None


def done(annotations: list[Any]) -> list[dict[str, Any]]:
    """The annotations that were not skipped."""
    skipped = ("was_cancelled", "skipped", "was_skipped")
    return [one for one in annotations if isinstance(one, dict) and not any(one.get(name) for name in skipped)]


def labels_by_control(annotation: dict[str, Any]) -> dict[str, list[str]]:
    """The labels of one annotation, by the control of Label Studio's form with which they were given."""
    labels: dict[str, list[str]] = {}
    results = annotation.get("result")
    for result in results if isinstance(results, list) else []:
        match result:
            case {"value": {"choices": list() as choices}}:
                given = list(map(str, choices))
            case {"value": {"rating": int() | float() as rating}} | {"value": {"number": int() | float() as rating}}:
                given = [json.dumps(rating)]
            case _:
                continue
        labels.setdefault(str(result.get("from_name")), []).extend(given)
    return labels


def own_columns(task: dict[str, Any], wanted: ColumnNames) -> frozenset[str]:
    """The columns of the text and the id in a task's data."""
    try:
        found = find_columns(
            list(task["data"]),
            ColumnNames(text=wanted.text, id=wanted.id, label=NO_COLUMN, before=wanted.before),
            file="the task's data",
        )
    except InputError:
        return frozenset()
    return frozenset(name for name in (*found.texts, found.id) if name)


def label_name(control: str, own: frozenset[str]) -> str:
    """The name of the column of labels that were given with ``control``, which may be called as the text is."""
    return f"{control}_label" if control in own else control


def task_row(values: dict[str, Any], own: frozenset[str]) -> tuple[dict[str, Any], str | None]:
    """A task as a row: its data, and under the name of each control the label, or the labels if they differ.

    Args:
        values: the task.
        own: columns of its data that labels do not take the place of.
    """
    data = values.get("data")
    if not isinstance(data, dict):
        return {}, NOT_A_TASK
    return data | {label_name(control, own): label for control, label in labels_of_task(values).items()}, None


def labels_of_task(values: dict[str, Any]) -> dict[str, Any]:
    """By control: the label that all annotators gave, or a list of the different ones."""
    labels: dict[str, dict[str, None]] = {}
    for annotation in done(annotations_of(values) or []):
        for control, given in labels_by_control(annotation).items():
            labels.setdefault(control, {}).update(dict.fromkeys(given))
    return {control: next(iter(given)) if len(given) == 1 else list(given) for control, given in labels.items()}
