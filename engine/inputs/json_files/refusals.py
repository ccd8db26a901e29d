"""JSON that is not rows → why it is refused, with a command that makes rows of it."""

import json
from collections.abc import Iterator
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.json_files.deeper_rows import Path, has_text, is_rows, path_to_rows, program_of
from engine.inputs.json_files.jq_commands import jq, members
from engine.inputs.json_files.known_layouts import named

_WRITE = 'to_json("rows.jsonl", orient="records", lines=True)'


def refuse_single_values(first: bytes, second: bytes, file: str) -> None:
    """Refuse lines that are strings, or arrays of them, with the way to make objects of them.

    Raises:
        InputError: the first two are.
    """
    values = [_value(first), _value(second)]
    if all(isinstance(value, str) for value in values):
        raise InputError(f"{file}: its lines are strings and not objects: {jq('{text: .}', file)}")
    if all(isinstance(value, list) and value and not isinstance(value[0], dict) for value in values):
        way = jq(f"{{{named(values[0])}}}", file)
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
    way = ""
    read = f"pd.read_json({file!r})"
    if "columns" in sample and isinstance(sample.get("data"), list):
        how, read = 'as pandas writes it with orient="split"', f'pd.read_json({file!r}, orient="split")'
    elif values and all(isinstance(value, list) for value in values):
        how, read = "a list for each", f"pd.DataFrame(json.load(open({file!r})))"
    elif not values or not all(isinstance(value, dict) and value for value in values):
        return
    elif has_text(values[0], wanted) and not has_text(sample, wanted):
        how, way = 'as pandas writes it with orient="index"', jq("to_entries[] | {id: .key} + .value", file)
    elif has_text(sample, wanted) or (all(key.isdecimal() for key in values[0]) and _are_alike(values)):
        how = 'as pandas writes it with orient="columns"'
    else:
        return
    raise InputError(
        f'{file} is a table by columns, {how}, and not by rows: write it with df.to_json(path, orient="records", '
        f"lines=True), or turn it with {way or f'{read}.{_WRITE}'}"
    )


def refuse_deeper(sample: dict[str, Any], wanted: ColumnNames, file: str) -> None:
    """Refuse an object whose rows are further down in it.

    Raises:
        InputError: they are.
    """
    path = path_to_rows(sample, wanted)
    if path is None or None not in path:
        path = next(_arrays_below(sample), None)
    if path is not None:
        keys = ", ".join(repr(key) for key in path[: path.index(None)])
        way = jq(program_of(path), file)
        raise InputError(f"{file} holds an array of objects in {keys}: take it out: {way}")


def _arrays_below(sample: dict[str, Any]) -> Iterator[Path]:
    for key, value in sample.items():
        for below, rows in value.items() if isinstance(value, dict) else ():
            if is_rows(rows):
                yield key, below, None


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _listed(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _are_alike(objects: list[dict[str, Any]]) -> bool:
    return all(value.keys() == objects[0].keys() for value in objects)
