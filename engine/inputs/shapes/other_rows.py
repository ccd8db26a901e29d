"""First rows of a delimited file that are not one text each → the command that makes such rows of them.

They have a name and a value each, several to a text (a long table); or a cell that holds an object of JSON.
"""

import json
from collections.abc import Sequence

from engine.inputs.columns import ColumnNames
from engine.inputs.json_files.deeper_rows import has_text
from engine.inputs.shapes.dict_rows import dict_rows

_MOST_FIELDS, _MOST_COLUMNS, _OBJECTS = 20, 6, 50
_LOOKED_AT, _NEARLY = 2000, 0.9
_PLAIN = ColumnNames()
_Columns = dict[str, tuple[str, ...]]


def other_rows(rows: Sequence[Sequence[str]], file: str, text: str | None = None) -> str | None:
    """What is to be done; None if nothing speaks against that each row has a text.

    Args:
        rows: the first ones, below the header.
        file: where they are.
        text: the column that was chosen as the text; None if there is none.
    """
    width = len(rows[0])
    if not 2 <= width <= _MOST_COLUMNS or len({*rows[0]}) < width:
        return None
    values = zip(*(row for row in rows[1 : _LOOKED_AT + 1] if len(row) == width), strict=True)
    columns = dict(zip(rows[0], values, strict=False))
    return _of_long_table(columns, file, text) or _of_objects(columns, file, text)


def _of_long_table(columns: _Columns, file: str, text: str | None) -> str | None:
    for field, names in columns.items():
        fields = {*names}
        if not 1 < len(fields) <= _MOST_FIELDS or not has_text(fields, _PLAIN):
            continue
        others = {name: values for name, values in columns.items() if name != field}
        ids = next((name for name, values in others.items() if _are_ids(values, names)), None)
        value = max(others, key=lambda name: sum(map(len, others[name])), default=None)
        if ids is None or value in (None, ids) or text == field:
            continue
        key, name, said = (f"row[{json.dumps(column)}]" for column in (ids, field, value))
        kept = "one if isinstance(one, str) else one[0] if len({*one}) == 1 else one"
        way = dict_rows(
            f'found = {{}}; [found.setdefault({key}, {{"id": {key}}}).setdefault({name}, []).append({said}) for row in '
            f"{{rows}}]; [print(json.dumps({{name: {kept} for name, one in row.items()}})) for row in found.values()]",
            file,
        )
        return f"each row has one value of a text, which {field!r} names; put those of each {ids!r} together: {way}"
    return None


def _are_ids(values: Sequence[str], names: Sequence[str]) -> bool:
    """Whether each of ``values`` comes with each of the different ``names``, once."""
    needed = len({*values}) * len({*names}) * _NEARLY
    return len({*values}) < len(values) and needed <= len(values) == len({*zip(values, names, strict=True)})


def _of_objects(columns: _Columns, file: str, text: str | None) -> str | None:
    for name, values in columns.items():
        some = [value for value in values[:_OBJECTS] if value.strip()]
        if text not in (None, name) or not some or not all(value.lstrip().startswith("{") for value in some):
            continue
        try:
            found = [json.loads(value) for value in some]
        except (ValueError, RecursionError):
            continue
        if text is None or has_text(found[0], _PLAIN):
            cell = f"row.pop({json.dumps(name)})"
            row = f'{{**json.loads({cell} or "{{}}"), **row}}'
            way = dict_rows(f"[print(json.dumps({row})) for row in {{rows}}]", file)
            return f"{name!r} holds objects of JSON; make columns of what is in them: {way}"
    return None
