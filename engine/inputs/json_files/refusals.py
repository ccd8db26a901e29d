"""JSON that is not rows → why it is refused, with a command that makes rows of it."""

import json
import shlex
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.json_files.deeper_rows import (
    OF_DYNAMO,
    has_text,
    is_rows,
    is_typed,
    may_be_row,
    path_to_rows,
    program_of,
)
from engine.inputs.json_files.deeper_rows import Path as RowPath
from engine.inputs.json_files.jq_commands import from_lines, jq, members
from engine.inputs.json_files.known_layouts import lines_named
from engine.inputs.json_files.known_rows.annotated import is_answer
from engine.inputs.json_files.known_rows.api_rows import refusal_of_stream


def refuse_single_values(first: bytes, second: bytes, file: str) -> None:
    """Refuse lines that are strings, or arrays of them, with the way to make objects of them.

    Raises:
        InputError: the first two are.
    """
    values = [_value(first), _value(second)]
    if all(isinstance(value, str) and isinstance(_value(value), dict) for value in values):
        raise InputError(f"{file}: its lines are strings that hold JSON: take it out: {jq('fromjson', file)}")
    if all(isinstance(value, str) for value in values):
        raise InputError(f"{file}: its lines are strings and not objects: {jq('{text: .}', file)}")
    if all(isinstance(value, list) and value and not isinstance(value[0], dict) for value in values):
        way = jq(lines_named(values[0]), file)
        raise InputError(f"{file}: its lines are arrays and not objects; name what is in them: {way}")


def refuse_several(found: list[str], file: str) -> None:
    """Refuse an object with several arrays that could be the rows.

    Raises:
        InputError: it has.
    """
    if found:
        raise InputError(
            f"{file} holds several arrays of objects, {_listed(found)}: take out the one that has the rows: "
            + jq(f"{members(found[0])}[]", file)
        )


def refuse_columns(sample: dict[str, Any], wanted: ColumnNames, file: str) -> None:
    """Refuse an object that holds a table by columns.

    Raises:
        InputError: it does.
    """
    values = list(sample.values())
    if "columns" in sample and isinstance(sample.get("data"), list):
        how, rows = 'as pandas writes it with orient="split"', _of_split(sample)
    elif values and all(isinstance(value, list) for value in values):
        how, rows = "a list for each", "dict(zip(t, row)) for row in itertools.zip_longest(*t.values())"
    elif not values or not all(isinstance(value, dict) and value for value in values):
        return
    elif has_text(values[0], wanted) and not has_text(sample, wanted):
        how, rows = 'as pandas writes it with orient="index"', '{"id": key, **row} for key, row in t.items()'
    elif has_text(sample, wanted) or (all(key.isdecimal() for key in values[0]) and _are_alike(values)):
        how, rows = 'as pandas writes it with orient="columns"', _of_columns(sample)
    else:
        return
    code = f"import itertools, json, sys; t = json.load(sys.stdin); [print(json.dumps(row)) for row in ({rows})]"
    way = from_lines(f"python -c {shlex.quote(code)}", file, "rows.jsonl")  # jq would round large numbers
    raise InputError(f"{file} is a table by columns, {how}, and not by rows: turn it with {way}")


def _of_split(sample: dict[str, Any]) -> str:
    """In Python: the rows of a table with its columns, its index and its rows apart; an index of words is the id."""
    index = sample.get("index")
    has_ids = isinstance(index, list) and index and all(isinstance(one, str) for one in index)
    if not has_ids or "id" in sample["columns"]:
        return 'dict(zip(t["columns"], row)) for row in t["data"]'
    return '{"id": id, **dict(zip(t["columns"], row))} for id, row in zip(t["index"], t["data"])'


def _of_columns(sample: dict[str, Any]) -> str:
    """In Python: the rows of a table with an object of values for each column; an index of words is the id."""
    has_ids = "id" not in sample and not all(key.isdecimal() for key in next(iter(sample.values())))
    begin = '"id": key, ' if has_ids else ""
    return f"{{{begin}**{{name: some.get(key) for name, some in t.items()}}}} for key in next(iter(t.values()))"


def refuse_entries(sample: dict[str, Any], wanted: ColumnNames, file: str) -> None:
    """Refuse an object that holds texts, or labels, by their ids.

    Raises:
        InputError: it does.
    """
    what, single = ("label", str | int) if isinstance(wanted, LabelColumns) else ("text", str)
    are_single = len(sample) > 1 and all(isinstance(value, single) for value in sample.values())
    if are_single and not may_be_row(sample, wanted):
        way = jq(f"to_entries[] | {{id: .key, {what}: .value}}", file)
        raise InputError(f"{file} is one object: if it holds {what}s by their ids, make rows of it: {way}")


def refuse_wrapped(row: dict[str, Any], rows: str, wanted: ColumnNames, file: str) -> None:
    """Refuse rows whose values are each inside of an array or an object, as R, DynamoDB and Avro write them.

    Args:
        row: the first.
        rows: where they are, for jq.
        wanted: column names that the user gave.
        file: where it is.

    Raises:
        InputError: they are such, or answers of a language model where texts are needed.
    """
    begin = "" if rows == "." else f"{rows} | "
    if is_answer(row) and not isinstance(wanted, LabelColumns) and wanted.text is None:
        raise InputError(
            f"{file}: its rows are answers to the requests of a batch, and their texts are in another file. As labels "
            f"of a store whose ids are their custom_id: engine audit STORE --gold {shlex.quote(file)}"
        )
    if len(row) < 2:
        return
    if (found := refusal_of_stream(row)) is not None:
        raise InputError(f"{file}: {found[0]}: {jq(f'{begin}{found[1]}', file)}")
    if all(isinstance(value, list) and len(value) <= 1 for value in row.values()) and any(row.values()):
        way = jq(f'{begin}map_values(if type == "array" and length <= 1 then .[0] else . end)', file)
        raise InputError(f"{file}: each value is an array of one, as R's jsonlite writes them: take them out: {way}")
    if is_typed(row):
        way = jq(f"{begin}{OF_DYNAMO}", file)
        raise InputError(f"{file}: its values are as DynamoDB writes them, with their types: take them out: {way}")


def refuse_deeper(sample: dict[str, Any], wanted: ColumnNames, file: str) -> None:
    """Refuse an object whose rows are further down in it.

    Raises:
        InputError: they are.
    """
    path = path_to_rows(sample, wanted)
    if path is None or all(isinstance(key, str) for key in path):
        path = next(_arrays_below(sample), None)
    if path is not None:
        keys = [*takewhile(lambda key: isinstance(key, str), path)]
        what = "an array of objects" if path[len(keys)] is None else "an object of objects by their ids"
        where = f" in {', '.join(map(repr, keys))}" if keys else ""
        raise InputError(f"{file} holds {what}{where}: take it out: {jq(program_of(path), file)}")


def _arrays_below(sample: dict[str, Any]) -> Iterator[RowPath]:
    for key, value in sample.items():
        for below, rows in value.items() if isinstance(value, dict) else ():
            if is_rows(rows):
                yield key, below, None


def _value(line: bytes | str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _listed(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _are_alike(objects: list[dict[str, Any]]) -> bool:
    return all(value.keys() == objects[0].keys() for value in objects)
