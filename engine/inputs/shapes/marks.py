"""A column for each class, in which a row is marked (one-hot) → which columns they are, and how one is made of them."""

import json
from collections.abc import Iterable, Mapping, Sequence

from engine.inputs.json_files.jq_commands import jq
from engine.inputs.paths.file_kinds import DELIMITED, JSON, kind_of_file
from engine.inputs.shapes.dict_rows import dict_rows

MARKS = frozenset(("x", "✓", "✔", "☑", "✅", "yes", "true"))
"""What marks a row in the column of its class, in lower case, beside 1."""

_ON = MARKS.union(("1", "1.0", "y"))
_OFF = ("", "0", "0.0", "no", "n", "false", "null", "none", "☐", "-")
_MOST = 0.9  # of the rows, that have one mark


def marked_columns(columns: Mapping[str, Sequence[str | None]]) -> list[str]:
    """Names of the columns that mark the class of each row; none if it is not plain that they do.

    Args:
        columns: of some rows.
    """
    plain = {name: [(value or "").strip().lower() for value in values] for name, values in columns.items()}
    found = [name for name, values in plain.items() if _ON.intersection(values) and {*values} <= _ON.union(_OFF)]
    rows = [sum(value in _ON for value in row) for row in zip(*(plain[name] for name in found), strict=True)]
    return found if len(found) > 1 and rows and rows.count(1) >= _MOST * len(rows) else []


def way_of_marks(file: str, names: Iterable[str]) -> str:
    """What to do about the columns ``names`` of ``file``: the command that writes a column ``label`` of them."""
    lower = _listed(name.strip().lower() for name in names)
    way: str | None = None
    if kind_of_file(file) == JSON:
        is_class = f"ascii_downcase | IN({lower})"
        marks = f"select((.key | {is_class}) and (.value | tostring | ascii_downcase | IN({_listed(_OFF)}) | not))"
        program = f'[to_entries[] | {marks} | .key] | join("|")'
        way = jq(f".. | objects | select(any(keys[]; {is_class})) | . + {{label: ({program})}}", file)
    elif kind_of_file(file) == DELIMITED:
        marks = f"if name and name.strip().lower() in [{lower}] and row[name].strip().lower() not in [{_listed(_OFF)}]"
        row = f'{{**row, "label": "|".join(name for name in row {marks})}}'
        way = dict_rows(f"[print(json.dumps({row})) for row in {{rows}}]", file)
    words = "write a column 'label' that names the class of each row, and leave out --label"
    return f"{words}: {way}" if way else words


def _listed(values: Iterable[str]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
