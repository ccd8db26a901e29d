"""Objects that hold a table with the names of its columns apart → a jq program that makes rows of it.

Elasticsearch SQL, Trino, Snowflake, Databricks, Metabase and CKAN describe each column by an object, and write a row as
an array. Chroma writes an array for each column.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from engine.inputs.json_files.jq_commands import NAMED, members

_NAMES = ("name", "id", "field", "column_name", "label")
_KEYS = ("columns", "fields", "cols", "rowtype", "schema", "header", "headers", "column_info", "attributes")
_DEEPEST, _MOST = 4, 200
_Found = tuple[tuple[str, ...], Any]


def program_of_table(sample: dict[str, Any]) -> str | None:
    """The program for an object with arrays of values, and as many descriptions of columns; None if it is another one.

    Args:
        sample: the first elements of what is in the file.
    """
    match sample:
        case {"ids": [str(), *_], "documents": [_, *_]}:
            more = " + (.[2] // {})" if isinstance(sample.get("metadatas"), list) else ""
            return f"[.ids, .documents, .metadatas // []] | transpose[] | {{id: .[0], text: .[1]}}{more}"
    below = list(_below(sample))
    for path, rows in below:
        if not (isinstance(rows, list) and rows and all(isinstance(row, list) and row for row in rows)):
            continue
        for other, columns in below:
            if other[-1:] and other[-1].lower() in _KEYS and (name := _name_of(columns, len(rows[0]))):
                return f"[{members(*other)}[].{name}] as $names | {members(*path)}[] | {NAMED}"
    return None


def _name_of(columns: Any, width: int) -> str | None:
    """The key of the names in descriptions of ``width`` columns."""
    if not isinstance(columns, list) or len(columns) != width or not all(isinstance(one, dict) for one in columns):
        return None
    return next((name for name in _NAMES if all(isinstance(one.get(name), str) for one in columns)), None)


def _below(sample: dict[str, Any]) -> Iterator[_Found]:
    """Values and the keys on the way to them."""
    waiting = deque[_Found]([((), sample)])
    for _ in range(_MOST):
        if not waiting:
            return
        path, value = waiting.popleft()
        yield path, value
        if isinstance(value, dict) and len(path) < _DEEPEST:
            waiting.extend(((*path, key), one) for key, one in value.items())
