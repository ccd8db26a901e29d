"""JSON that is not rows → why it is refused, with a command that makes rows of it."""

import json
import shlex
from collections.abc import Iterable
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import NO_COLUMN, ColumnNames, find_columns

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
        way = jq(f"{{{_named(values[0])}}}", file)
        raise InputError(f"{file}: its lines are arrays and not objects; name what is in them: {way}")


def _named(values: list[Any]) -> str:
    """Names for the elements of an array, in jq: the longest is the text, and one beside it the label."""
    text = max(range(len(values)), key=lambda place: len(str(values[place])))
    names = {text: "text", 1 - text: "label"} if len(values) == 2 else {text: "text"}
    return ", ".join(f"{names.get(place, f'column{place + 1}')}: .[{place}]" for place in range(len(values)))


def refuse_several(found: list[str], file: str) -> None:
    """Refuse an object with several arrays that could be the rows.

    Raises:
        InputError: it has.
    """
    if found:
        raise InputError(
            f"{file} holds several arrays of objects, {_listed(found)}: take out the one that has the rows: "
            + jq(f".[{json.dumps(found[0])}][]", file)
        )


def refuse_columns(sample: dict[str, Any], wanted: ColumnNames, file: str) -> None:
    """Refuse an object that holds a table by columns.

    Raises:
        InputError: it does.
    """
    values = list(sample.values())
    read = f"pd.read_json({file!r})"
    if "columns" in sample and isinstance(sample.get("data"), list):
        how, read = 'as pandas writes it with orient="split"', f'pd.read_json({file!r}, orient="split")'
    elif values and all(isinstance(value, list) for value in values):
        how, read = "a list for each", f"pd.DataFrame(json.load(open({file!r})))"
    elif not values or not all(isinstance(value, dict) and value for value in values):
        return
    elif has_text(values[0], wanted) and not has_text(sample, wanted):
        how, read = 'as pandas writes it with orient="index"', f'pd.read_json({file!r}, orient="index")'
    elif has_text(sample, wanted) or (all(key.isdecimal() for key in values[0]) and _are_alike(values)):
        how = 'as pandas writes it with orient="columns"'
    else:
        return
    raise InputError(
        f'{file} is a table by columns, {how}, and not by rows: write it with df.to_json(path, orient="records", '
        f"lines=True), or turn it with {read}.{_WRITE}"
    )


def refuse_deeper(sample: dict[str, Any], file: str) -> None:
    """Refuse an object whose rows are further down in it.

    Raises:
        InputError: they are.
    """
    for key, value in sample.items():
        for below, rows in value.items() if isinstance(value, dict) else ():
            if is_rows(rows):
                way = jq(f".[{json.dumps(key)}][{json.dumps(below)}][]", file)
                raise InputError(f"{file} holds an array of objects in {key!r}, {below!r}: take it out: {way}")


def way_to_text(row: dict[str, Any], begin: str, wanted: ColumnNames, file: str) -> str | None:
    """The command that makes rows of the objects in ``row`` that have a text, if it is in one of them.

    What stands beside such an object goes with it. Of a chat, what the user said is the text.

    Args:
        row: of the file.
        begin: where the rows are, for jq.
        wanted: column names that the user gave.
        file: where it is.
    """
    begin = "" if begin == "." else f"{begin} | "
    for key, value in row.items():
        place = f".[{json.dumps(key)}]"
        if isinstance(value, dict) and has_text(value, wanted):
            return jq(f"{begin}. + {place} | del({place})", file)
        if not is_rows(value):
            continue
        if "role" in value[0] and "content" in value[0]:
            said = f'[{place}[] | select(.role == "user") | .content] | join("\\n")'
            return jq(f"{begin}. + {{text: ({said})}} | del({place})", file)
        if has_text(value[0], wanted):
            return jq(f"{begin}{place}[]", file)
    return None


def is_rows(value: Any) -> bool:
    """Whether a value is an array of objects."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def has_text(names: Iterable[str], wanted: ColumnNames) -> bool:
    """Whether a column of text is to be found among ``names``."""
    try:
        find_columns(list(names), ColumnNames(text=wanted.text, id=NO_COLUMN, label=NO_COLUMN), file="")
    except InputError:
        return False
    return True


def jq(program: str, file: str) -> str:
    """A command that makes JSON Lines of a part of ``file``."""
    return f"jq -c {shlex.quote(program)} {shlex.quote(file)} > rows.jsonl"


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _listed(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _are_alike(objects: list[dict[str, Any]]) -> bool:
    return all(value.keys() == objects[0].keys() for value in objects)
