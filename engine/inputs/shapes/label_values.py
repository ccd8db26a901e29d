"""Labels that are JSON in strings, or scores → the command that writes names of classes in their place."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from engine.inputs.json_files.jq_commands import LARGEST_PLACE, jq, members
from engine.inputs.json_files.nested_values import label_key
from engine.inputs.labels.names.codes_in_name import class_at_begin, class_of_column
from engine.inputs.paths.file_kinds import DELIMITED, JSON, kind_of_file
from engine.inputs.shapes.dict_rows import dict_rows

_SCORE = re.compile(r"0|1|0?\.\d+|1\.0+|\d(\.\d+)?e-\d+")
_AROUND_0 = re.compile(r"-?(?:0|1|0?\.\d+|1\.0+|\d(\.\d+)?e-\d+)")
_NUMBERS = "[-+.0-9e]+"
_VECTOR = re.compile(rf"\[\s*{_NUMBERS}(?:[\s,]+{_NUMBERS})*\s*\]")
_PLACE = (
    '(lambda found: found.index(max(found)) if found.count(max(found)) == 1 else "")'
    f'([float(one) for one in re.findall("{_NUMBERS}", value)])'
)
_PLACE_IN_JQ = (
    f'[tostring | scan("{_NUMBERS}") | sub("[.](?<end>e|$)"; .end // "") | tonumber] | '
    f'{LARGEST_PLACE} | if type == "array" then null else . end'
)
_MANY = 6  # labels, which a map is too long for
_MARKS = " \t\n*_\"'“‘("
_OBJECT = re.compile(r"(?s)(?:`{3}\w*\s*)?(\{.*\})(?:\s*`{3})?")


def way_of_values(
    labels: Sequence[str], classes: Sequence[str], columns: Mapping[str, str], said: Mapping[str, Sequence[str]]
) -> str | None:
    """What to do about ``labels`` of which none is one of ``classes``; None if they are plain.

    Args:
        labels: the distinct ones.
        classes: the names.
        columns: the column that they are from, by files.
        said: by files without a header, the names of all columns.
    """
    if len(columns) != 1:
        return None
    ((file, column),) = columns.items()
    place = _Place(file=file, column=column, names=said.get(file, ()))
    ways = (_way_of_objects, _way_of_reasons, _way_of_vectors, _way_of_scores)
    return next((found for way in ways if (found := way(labels, classes, place))), None)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where labels are.

    Attributes:
        file: its path.
        column: the name of theirs.
        names: of all columns, if the file has no header.
    """

    file: str
    column: str
    names: Sequence[str]

    def written(self, of_jq: str, of_python: str) -> str | None:
        """The command that writes a class for each ``value`` that is not empty."""
        key = json.dumps(self.column)
        row = f'{{**row, {key}: next(({of_python} for value in [row[{key}]] if value), "")}}'
        rows = f"import re; [print(json.dumps({row})) for row in {{rows}}]"
        return self.way(f"if . == null then . else {of_jq} end", rows)

    def way(self, of_jq: str, of_python: str) -> str | None:
        """The command that is one of jq or one of Python."""
        if kind_of_file(self.file) == JSON:
            key = json.dumps(self.column)
            return jq(f".. | objects | select(has({key})) | .[{key}] |= ({of_jq})", self.file)
        return dict_rows(of_python, self.file, self.names) if kind_of_file(self.file) == DELIMITED else None


def _way_of_objects(labels: Sequence[str], _: Sequence[str], place: _Place) -> str | None:
    if (key := _key_of_objects(labels)) is None:
        return None
    inside = f'capture("(?<found>[{{].*[}}])"; "s").found | fromjson | {members(key)}'
    column = json.dumps(place.column)
    found = f'json.loads(re.search(r"(?s)[{{].*[}}]", row[{column}])[0])[{json.dumps(key)}]'
    way = place.way(
        f'if type == "string" then ({inside}) else . end',
        f"import re; [print(json.dumps({{**row, {column}: {found}}})) for row in {{rows}}]",
    )
    return way and f"If the label is {key!r} in them, take it out: {way}"


def _way_of_reasons(labels: Sequence[str], classes: Sequence[str], place: _Place) -> str | None:
    """What to do about classes with a reason behind each, as language models write it."""
    if len(labels) < _MANY or not all(class_at_begin(label.lstrip(_MARKS), classes) for label in labels):
        return None
    names = "|".join(sorted(map(re.escape, classes), key=len, reverse=True))
    of_jq = f'capture({json.dumps(f"^[^[:alnum:]]*(?<found>{names})")}; "i").found'
    way = place.written(of_jq, f'next(iter(re.findall(r"^\\W*({names})", value, re.I)), value)')
    return way and f"If the class stands first in them, write it alone: {way}"


def _way_of_vectors(labels: Sequence[str], classes: Sequence[str], place: _Place) -> str | None:
    if len(classes) < 2 or not labels or not all(map(partial(_is_vector, size=len(classes)), labels)):
        return None
    way = place.written(_PLACE_IN_JQ, _PLACE)
    return way and f"If they have a number for each class, write the place of the largest: {way}"


def _way_of_scores(labels: Sequence[str], classes: Sequence[str], place: _Place) -> str | None:
    if len(classes) != 2 or not any("." in label for label in labels):
        return None
    other, meant = _other_and_meant(classes, place.column)
    if all(map(_SCORE.fullmatch, labels)):
        of_jq = f"if tonumber >= 0.5 then {meant} else {other} end"
        way = place.written(of_jq, f"{meant} if float(value) >= 0.5 else {other}")
        return way and f"If they are scores of {meant}, write the class: {way}"
    if all(map(_AROUND_0.fullmatch, labels)) and any(label.startswith("-") for label in labels):
        of_jq = f"tonumber | if . >= 0.05 then {meant} elif . <= -0.05 then {other} else null end"
        named = f'{meant} if float(value) >= 0.05 else {other} if float(value) <= -0.05 else ""'
        way = place.written(of_jq, named)
        return way and f"If they are scores from -1 to 1, write the class of those that are not near 0: {way}"
    return None


def _is_vector(label: str, *, size: int) -> bool:
    return _VECTOR.fullmatch(label) is not None and len(re.findall(_NUMBERS, label)) == size


def _other_and_meant(classes: Sequence[str], column: str) -> tuple[str, str]:
    """Two classes, as JSON: the second is that of high scores, the one that the column is about if there is one."""
    meant = class_of_column(column, classes) or classes[1]
    first, second = map(json.dumps, (next(name for name in classes if name != meant), meant))
    return first, second


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
