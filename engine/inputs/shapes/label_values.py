"""Labels that are JSON in strings, or scores → the command that writes names of classes in their place."""

import json
import re
from collections.abc import Mapping, Sequence

from engine.inputs.json_files.jq_commands import jq, members
from engine.inputs.json_files.nested_values import label_key
from engine.inputs.paths.file_kinds import DELIMITED, JSON, kind_of_file
from engine.inputs.shapes.dict_rows import dict_rows

_SCORE = re.compile(r"0|1|0?\.\d+|1\.0+|\d(\.\d+)?e-\d+")
_OBJECT = re.compile(r"(?s)(?:`{3}\w*\s*)?(\{.*\})(?:\s*`{3})?")


def way_of_values(labels: Sequence[str], classes: Sequence[str], columns: Mapping[str, str]) -> str | None:
    """What to do about ``labels`` of which none is one of ``classes``; None if they are plain.

    Args:
        labels: the distinct ones.
        classes: the names.
        columns: the column that they are from, by files.
    """
    if len(columns) != 1:
        return None
    ((file, column),) = columns.items()
    if key := _key_of_objects(labels):
        inside = f'capture("(?<found>[{{].*[}}])"; "s").found | fromjson | {members(key)}'
        of_jq = f'if type == "string" then ({inside}) else . end'
        found = f'json.loads(re.search(r"(?s)[{{].*[}}]", row[{json.dumps(column)}])[0])[{json.dumps(key)}]'
        way = _way(
            of_jq,
            f"import re; [print(json.dumps({{**row, {json.dumps(column)}: {found}}})) for row in {{rows}}]",
            file,
            column,
        )
        return way and f"If the label is {key!r} in them, take it out: {way}"
    if len(classes) == 2 and any("." in label for label in labels) and all(map(_SCORE.fullmatch, labels)):
        first, second = map(json.dumps, classes)
        of_jq = f"if . == null then . elif tonumber >= 0.5 then {second} else {first} end"
        value = f"row[{json.dumps(column)}]"
        named = f'({second} if float({value}) >= 0.5 else {first}) if {value} else ""'
        way = _way(
            of_jq, f"[print(json.dumps({{**row, {json.dumps(column)}: {named}}})) for row in {{rows}}]", file, column
        )
        return way and f"If they are scores of {second}, write the class: {way}"
    return None


def _way(of_jq: str, of_python: str, file: str, column: str) -> str | None:
    if kind_of_file(file) == JSON:
        key = json.dumps(column)
        return jq(f".. | objects | select(has({key})) | .[{key}] |= ({of_jq})", file)
    return dict_rows(of_python, file) if kind_of_file(file) == DELIMITED else None


def _key_of_objects(labels: Sequence[str]) -> str | None:
    """The key of the label in objects of JSON, if all ``labels`` are such."""
    found = [_OBJECT.fullmatch(label.strip()) for label in labels]
    if not labels or not all(found):
        return None
    try:
        objects = [json.loads(one[1]) for one in found if one]
    except (ValueError, RecursionError):
        return None
    return label_key(objects[0]) if all(label_key(one) == label_key(objects[0]) for one in objects) else None
