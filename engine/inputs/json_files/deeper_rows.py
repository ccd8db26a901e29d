"""Values of JSON that have rows further down → the jq command that takes the rows out."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import EllipsisType
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns, find_columns
from engine.inputs.json_files.jq_commands import jq, members, within
from engine.inputs.json_files.known_rows.annotated import program_of_row
from engine.inputs.json_files.known_rows.api_rows import program_of_api
from engine.inputs.shapes.likely_text import likely_text

_MOST_VALUES = 10_000  # that are looked at
_MOST_TEXTS, _DEEPEST = 50, 8
_TEXT_LIKE = re.compile(r"text|body|content|comment|message|review|snippet|caption|utterance|sentence", re.IGNORECASE)
_DYNAMO = frozenset(("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"))
OF_DYNAMO = 'map_values(if has("NULL") then null else .[] end)'
"""A program: a row of which `is_typed` is true → its values."""

Path = tuple[str | EllipsisType | None, ...]
"""Keys on the way to a value; None stands for all elements of an array, and ``...`` for all members of an object."""


def is_rows(value: Any) -> bool:
    """Whether a value is an array of objects."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def has_text(names: Iterable[str], wanted: ColumnNames) -> bool:
    """Whether a column of text is to be found among ``names``."""
    return _has_columns(names, ColumnNames(text=wanted.text, id=NO_COLUMN, label=NO_COLUMN, before=wanted.before))


def may_be_row(values: Iterable[str], wanted: ColumnNames) -> bool:
    """Whether there is what is read of a row: a text, or, where labels are read, an id and a label."""
    return has_text(values, wanted) or (isinstance(wanted, LabelColumns) and _has_columns(values, wanted))


def _has_columns(names: Iterable[str], wanted: ColumnNames) -> bool:
    try:
        find_columns(list(names), wanted, file="")
    except InputError:
        return False
    return True


def way_to_text_of_some(rows: Sequence[dict[str, Any]], begin: str, wanted: ColumnNames, file: str) -> str | None:
    """As `way_to_text`, of the first of ``rows`` of which one is known; the first row of a file may be no row."""
    for row in rows:
        if (way := way_to_text(row, begin, wanted, file, rows)) is not None:
            new = next((key for key in row if key not in rows[0] and members(key) in way), None)
            of_new = begin if new is None else _piped(begin, f"select(has({json.dumps(new)}))")
            return way if new is None else way_to_text(row, of_new, wanted, file, rows)
    if isinstance(wanted, LabelColumns) or wanted.text is not None or likely_text(own_strings(rows)) is not None:
        return None
    path = next((path for row in rows if (path := _path_to_words(row)) is not None), None)
    return None if path is None else jq(_piped(begin, f". + {{text: {members(*path)}}}"), file)


def _path_to_words(row: dict[str, Any]) -> tuple[str, ...] | None:
    """The keys on the way to the most likely text below the keys of a row: a string of words, and of a name like it."""
    found, waiting = list[tuple[bool, int, tuple[str, ...]]](), deque[tuple[tuple[str, ...], Any]]([((), row)])
    while waiting and len(found) < _MOST_TEXTS:
        path, value = waiting.popleft()
        if isinstance(value, dict) and len(path) < _DEEPEST:
            waiting.extend(((*path, key), below) for key, below in value.items())
        elif isinstance(value, str) and len(path) > 1 and _TEXT_LIKE.search(path[-1]) and " " in value.strip():
            found.append(("original" in path[-1].lower(), len(value), path))
    return max(found)[-1] if found else None


def way_to_text(
    row: dict[str, Any], begin: str, wanted: ColumnNames, file: str, rows: Sequence[dict[str, Any]] = ()
) -> str | None:
    """The command that makes rows of the objects in ``row`` that have a text, if there are some.

    What stands beside such an object goes with it. Of a chat, what the user said is the text.

    Args:
        row: of the file.
        begin: where the rows are, for jq.
        wanted: column names that the user gave.
        file: where it is.
        rows: the first ones of it, ``row`` among them.
    """
    if (program := program_of_row(row) or program_of_api(row, lambda names: may_be_row(names, wanted))) is not None:
        return jq(_piped(begin, program), file)
    if (text := next((key for key, value in row.items() if _is_json(value)), None)) is not None:
        return jq(_piped(begin, f"(({members(text)} | fromjson) + del({members(text)}))"), file)
    if (item := next((key for key, value in row.items() if is_typed(value)), None)) is not None:
        return jq(_piped(begin, f"{members(item)} | {OF_DYNAMO}"), file)
    path = path_to_rows(row, wanted, is_row=True) or _only_object(row)
    if path is None or _are_less(rows or [row], path, wanted):
        return None
    is_of_one = ... not in path and path.count(None) == 1 and len(_value_at(row, path)) == 1
    if is_of_one and any(row[key] is not None for key in _single_values(row)):
        # what is beside it, as its id, goes along
        beside = 'with_entries(select(.value | type != "object" and type != "array"))'
        return jq(_piped(begin, f"{beside} + ({program_of(path)})"), file)
    return jq(program_of(path, begin), file)


def _is_json(value: Any) -> bool:
    """Whether a value is a string that holds an object of JSON."""
    if not isinstance(value, str) or not value.startswith("{"):
        return False
    try:
        return bool(json.loads(value))
    except (ValueError, RecursionError):
        return False


def is_typed(value: Any) -> bool:
    """Whether a value is a row as DynamoDB writes it, each value inside of an object that names its type."""
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(one, dict) and len(one) == 1 and _DYNAMO.issuperset(one) for one in value.values())


def _are_less(rows: Sequence[dict[str, Any]], path: Path, wanted: ColumnNames) -> bool:
    """Whether texts at the end of ``path`` have fewer words than strings of ``rows`` themselves, as remarks have."""
    own = own_strings(rows)
    if isinstance(wanted, LabelColumns) or wanted.text is not None or (likely := likely_text(own)) is None:
        return False
    below = " ".join(_text_at(row, path) for row in rows)
    return len(below.split()) < len(" ".join(own[likely]).split())


def own_strings(rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """The strings under each key of ``rows`` themselves."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [value for row in rows if isinstance(value := row.get(key), str)] for key in keys}


def _text_at(below: Any, path: Path) -> str:
    """The text in an object at the end of a path; empty if there is none."""
    try:
        for step in path:
            below = below[0] if step is None else next(iter(below.values())) if step is ... else below[step]
        text = below[find_columns(list(below), ColumnNames(id=NO_COLUMN, label=NO_COLUMN), file="").text]
    except (InputError, LookupError, TypeError, AttributeError, StopIteration):
        return ""
    return text if isinstance(text, str) else ""


def _value_at(value: Any, path: Path) -> list[Any]:
    """The first array on a path."""
    for key in path[: path.index(None)]:
        value = value[key]
    return list(value)


def path_to_rows(value: Any, wanted: ColumnNames, *, is_row: bool = False) -> Path | None:
    """The shortest way from ``value`` to an object below it that may be a row; None if there is none.

    Args:
        value: that is looked into.
        wanted: column names that the user gave.
        is_row: ``value`` is a row itself, and its keys are the same in each.
    """
    waiting = deque[tuple[Path, Any]]([((), value)])
    for _ in range(_MOST_VALUES):
        if not waiting:
            break
        path, found = waiting.popleft()
        by_ids = ["id"] if path[-1:] == (...,) else []
        if path and isinstance(found, dict) and may_be_row({*_single_values(found), *by_ids}, wanted):
            return path
        waiting.extend(((*path, step), below) for step, below in _below(found, has_ids=bool(path) or not is_row))
    return None


def _below(value: Any, *, has_ids: bool) -> Iterator[tuple[str | EllipsisType | None, Any]]:
    """The values in ``value``; of several that are alike, as those of an array, the first one."""
    if isinstance(value, dict):
        yield from [(..., next(iter(value.values())))] if has_ids and _are_by_ids(value) else value.items()
    elif is_rows(value):
        yield None, value[0]


def _are_by_ids(values: dict[str, Any]) -> bool:
    """Whether the keys of an object are ids: its values are objects with much the same keys."""
    if len(values) < 2 or not all(isinstance(value, dict) and value for value in values.values()):
        return False
    first, *others = values.values()
    return all(len(first.keys() & value.keys()) * 2 >= max(len(first), len(value)) for value in others)


def _single_values(values: dict[str, Any]) -> list[str]:
    return [key for key, value in values.items() if not isinstance(value, dict | list)]


def _only_object(row: dict[str, Any]) -> Path | None:
    """The way to the only object in a row that holds nothing else of its kind: its text may have any name."""
    objects = [key for key, value in row.items() if isinstance(value, dict) and len(_single_values(value)) > 1]
    return (objects[0],) if len(objects) == 1 and not any(isinstance(value, str) for value in row.values()) else None


def program_of(path: Path, begin: str = ".") -> str:
    """A path in jq. What stands beside the objects at its end, in the elements of the last array, goes with them.

    Of a key that is in both, as ``id``, that of the row holds. Where the last are members of an object, their keys are
    the ids.
    """
    arrays = max((number for number, key in enumerate(path, start=1) if not isinstance(key, str)), default=0)
    for number, key in enumerate(path[:arrays], start=1):
        if isinstance(key, str):
            begin = within(begin, key)
        elif key is ... and number == arrays:
            begin = _piped(begin, "to_entries[] | {id: .key} + .value")
        else:
            begin = f"{begin}[]"
    inner = [str(key) for key in path[arrays:]]
    if not inner:
        return begin
    return _piped(begin, f"{members(*inner)} + del({members(inner[0])})")


def _piped(begin: str, program: str) -> str:
    return program if begin == "." else f"{begin} | {program}"
