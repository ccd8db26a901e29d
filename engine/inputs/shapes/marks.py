"""A column for each class, in which a row is marked (one-hot) → which columns they are, and how one is made of them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from engine.inputs.json_files.jq_commands import jq
from engine.inputs.labels.names.codes_in_name import class_of_column
from engine.inputs.paths.file_kinds import DELIMITED, JSON, kind_of_file
from engine.inputs.shapes.dict_rows import dict_rows

MARKS = frozenset(("x", "✓", "✔", "☑", "✅", "yes", "true"))
"""What marks a row in the column of its class, in lower case, beside 1."""

_ON = MARKS.union(("1", "1.0", "y"))
_OFF = ("", "0", "0.0", "no", "n", "false", "null", "none", "☐", "-")
_NUMBER = re.compile(r"\d+(\.\d+)?(e-\d+)?")
_SHOWN = 20
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


def counted_columns(columns: Mapping[str, Sequence[str | None]], classes: Sequence[str]) -> dict[str, str]:
    """Columns with the votes for each of ``classes``, and the class of each; none if a class has no column."""
    named = {name: class_of_column(name, classes) for name in columns}
    found = {name: class_ for name, class_ in named.items() if class_ is not None and _are_counts(columns[name])}
    return found if len(found) == len({*found.values()}) == len(classes) > 1 else {}


def _are_counts(values: Sequence[str | None]) -> bool:
    return any(values) and all(_NUMBER.fullmatch(value) for value in values if value)


def way_of_counts(file: str, columns: Mapping[str, str], names: Sequence[str] = ()) -> str:
    """What to do about ``columns`` of votes for classes: the command that writes a column ``label`` of the largest."""
    way: str | None = None
    named = json.dumps(columns, ensure_ascii=False)
    if kind_of_file(file) == JSON:
        votes = f"[{named} as $names | to_entries[] | select($names[.key]) | {{key: $names[.key], value}}]"
        largest = (
            "(map(.value | tonumber? // 0) | max) as $most | map(select((.value | tonumber? // 0) == $most) | .key)"
        )
        first = json.dumps(next(iter(columns)))
        only = "if length == 1 then .[0] else null end"
        way = jq(f".. | objects | select(has({first})) | . + {{label: ({votes} | {largest} | {only})}}", file)
    elif kind_of_file(file) == DELIMITED:
        votes = f"{{name: float(row[key] or 0) for key, name in {named}.items()}}"
        is_most = "list(votes.values()).count(votes[name]) == 1 and votes[name] == max(votes.values())"
        only = f"[name for name in votes if {is_most}]"
        row = f'{{**row, "label": next(iter({only}), "")}}'
        way = dict_rows(f"[print(json.dumps({row})) for row in {{rows}} for votes in [{votes}]]", file, names)
    words = "write a column 'label' that names the class with the most"
    return f"{words}: {way}" if way else words


def way_of_marks(file: str, marked: Iterable[str], names: Sequence[str] = ()) -> str:
    """What to do about ``marked`` columns of ``file``: the command that writes a column ``label`` of them."""
    lower = _listed(name.strip().lower() for name in marked)
    way: str | None = None
    if kind_of_file(file) == JSON:
        is_class = f"ascii_downcase | IN({lower})"
        marks = f"select((.key | {is_class}) and (.value | tostring | ascii_downcase | IN({_listed(_OFF)}) | not))"
        program = f'[to_entries[] | {marks} | .key] | join("|")'
        way = jq(f".. | objects | select(any(keys[]; {is_class})) | . + {{label: ({program})}}", file)
    elif kind_of_file(file) == DELIMITED:
        marks = f"if name and name.strip().lower() in [{lower}] and row[name].strip().lower() not in [{_listed(_OFF)}]"
        row = f'{{**row, "label": "|".join(name for name in row {marks})}}'
        way = dict_rows(f"[print(json.dumps({row})) for row in {{rows}}]", file, names)
    words = "write a column 'label' that names the class of each row, and leave out --label"
    return f"{words}: {way}" if way else words


def _listed(values: Iterable[str]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


def way_of_columns(
    file: str, columns: Mapping[str, Sequence[str | None]], classes: Sequence[str], names: Sequence[str]
) -> str:
    """The end of a message that there are no labels: ``columns`` may be one for each class; empty if they are others.

    Args:
        file: where they are.
        columns: of some rows.
        classes: that are known.
        names: of all its columns, if it has no header.
    """
    if marked := marked_columns(columns):
        return f". If {', '.join(map(repr, marked[:_SHOWN]))} are classes, {way_of_marks(file, marked, names)}"
    if votes := counted_columns(columns, classes):
        return (
            f". If {', '.join(map(repr, votes))} say how many voted for each class, {way_of_counts(file, votes, names)}"
        )
    return ""
