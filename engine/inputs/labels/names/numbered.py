"""What a file, or a small one beside it, calls the numbers of its labels → a refusal if indices would be others.

``label_names`` beside the array of rows in JSON, ``categories`` as COCO has them, ``id2label`` of a model's
``config.json``, and lists of classes as ``classes.txt``. They are weaker than a card of a data set, which decides: they
may belong to something else, and so only names that are classes of the model count.
"""

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.inputs.labels.names.codes_in_name import meant_class
from engine.inputs.labels.spelling import label_map_text, spell
from engine.inputs.messages import listed

Numbered = tuple[str, tuple[tuple[str, str], ...]]
"""Where numbers are named, and each number with its name."""

_OF_ROWS = ("labelnames", "classnames", "classes", "id2label", "label2id", "idtolabel", "labeltoid", "targetnames")
_OF_FILES = (
    *_OF_ROWS,
    "labels",
    "labelmap",
    "categories",
    "names",
    "class2id",
    "id2class",
    "labelmapping",
    "labellist",
)
_AROUND = ("meta", "metadata", "info", "config", "header", "datasetinfo", "schema")
_STEMS = ("classes", "labels", "label_names", "class_names", "categories", "label_map", "labelmap")
_BESIDE = ("config.json", *(f"{stem}{ending}" for stem in _STEMS for ending in (".txt", ".csv", ".tsv", ".json")))
_NUMBERS, _NAMES = ("id", "index", "value", "label_id"), ("name", "label", "title", "class")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_LINE = re.compile(r"(?P<number>\d{1,9})\s*[\s,;:=|]\s*(?P<name>[^\W\d].*)")
_LARGEST = 1 << 16
_MOST = 1000


def numbers_in_object(values: Mapping[str, Any], *, is_row: bool = False) -> tuple[tuple[str, dict[str, str]], ...]:
    """The names of numbers in an object: those that a file has beside its rows, or those in a row.

    Returns:
        Keys, and the name of each number.
    """
    found = []
    for key, value in values.items():
        plain = _plain(key)
        if plain in (_OF_ROWS if is_row else _OF_FILES) and (pairs := numbers_of(value)):
            found.append((key, pairs))
        elif not is_row and plain == "features" and isinstance(value, dict):
            named = ((name, numbers_of(one)) for name, one in value.items() if isinstance(one, dict))
            found += [(name, pairs) for name, pairs in named if pairs]
        elif not is_row and plain in _AROUND and isinstance(value, dict):
            found += numbers_in_object(value, is_row=True)
    return tuple(found)


def numbers_of(value: Any) -> dict[str, str]:
    """Names in a list, or by their numbers, or numbers by their names → the name of each number; empty if it is none.

    Objects with an id and a name each are such a list, and a feature of Hugging Face has one.
    """
    match value:
        case {"names": list() | dict() as names}:
            return numbers_of(names)
        case dict():
            pairs = list(value.items())
            if pairs and all(_is_whole(number) for _, number in pairs):
                pairs = [(number, name) for name, number in pairs]
        case [dict(), *_]:
            pairs = [(_first(one, _NUMBERS), _first(one, _NAMES)) for one in value if isinstance(one, dict)]
        case list():
            pairs = list(enumerate(value))
        case _:
            return {}
    named = {str(number): str(name) for number, name in pairs}
    are_names = all(isinstance(name, str) and name.strip() and not _is_whole(name) for _, name in pairs)
    is_plain = are_names and all(_is_whole(number) for number, _ in pairs) and len({*named.values()}) == len(pairs)
    return named if is_plain and 1 < len(named) == len(pairs) <= _MOST else {}


def numbers_beside(file: str) -> list[Numbered]:
    """What small files in the folder of ``file`` name, by their paths."""
    folder, found = Path(file).absolute().parent, list[Numbered]()
    for path in (*(folder / name for name in _BESIDE), *_names_files(folder, folder.stat().st_mtime_ns)):
        try:
            state = path.stat()
            if state.st_size <= _LARGEST and path.name != Path(file).name and (pairs := _read(path, state.st_mtime_ns)):
                found.append((str(path), pairs))
        except OSError:
            continue
    return found


@lru_cache(maxsize=64)
def _names_files(folder: Path, modified: int) -> tuple[Path, ...]:  # noqa: ARG001 - a changed folder is listed again
    return tuple(sorted(folder.glob("*.names"))[:3])


@lru_cache(maxsize=64)
def _read(path: Path, modified: int) -> tuple[tuple[str, str], ...]:  # noqa: ARG001 - a changed file is read again
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            value = json.loads(text)
            of_keys = [pairs for _, pairs in numbers_in_object(value)] if isinstance(value, dict) else []
            pairs = of_keys[0] if of_keys else {} if path.name == "config.json" else numbers_of(value)
        else:
            pairs = _of_table(text) if path.suffix in (".csv", ".tsv") else _of_lines(text)
    except (ValueError, RecursionError, csv.Error):
        return ()
    return tuple(pairs.items())


def _of_lines(text: str) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [_LINE.fullmatch(line) for line in lines]
    if lines and all(numbered):
        return numbers_of([{"id": one["number"], "name": one["name"].strip()} for one in numbered if one])
    return numbers_of(lines)


def _of_table(text: str) -> dict[str, str]:
    """A number and a name in each row, below a header or without one."""
    rows = [row for row in csv.reader(text.splitlines(), delimiter="\t" if "\t" in text else ",") if row]
    rows = rows[1:] if rows and not any(map(_is_whole, rows[0])) else rows
    if not rows or any(len(row) != 2 for row in rows):
        return {}
    number = 0 if _is_whole(rows[0][0]) else 1
    return numbers_of([{"id": row[number].strip(), "name": row[1 - number].strip()} for row in rows])


def check_numbered(labels: Collection[str], classes: Sequence[str], said: Collection[Numbered], *, where: str) -> bool:
    """Refuse numbers that would be read as other classes than one of the lists of names says.

    Args:
        labels: all of them, in their one spelling.
        classes: the names.
        said: what numbers are called.
        where: of the labels, for messages.

    Returns:
        Whether one of them names all of the numbers.

    Raises:
        InputError: they would be.
    """
    is_named = False
    if not labels or not all(map(_is_whole, labels)) or not {spell(name) for name in classes}.isdisjoint(labels):
        return is_named
    for place, named in said:
        names = {spell(number): meant_class(name, classes) for number, name in named}
        meant = {label: str(names[label]) for label in labels if names.get(label) is not None}
        if len(meant) < len(labels) or len({*names.values()}) < len(names):
            continue
        is_named = True
        if any(_by_index(label, classes) != name for label, name in meant.items()):
            pairs = sorted(((number, str(name)) for number, name in names.items() if name), key=lambda one: int(one[0]))
            indices = [(str(number), name) for number, name in enumerate(classes)]
            other = f"; if they are indices of the classes {listed(classes)}: --label-map {label_map_text(indices)}"
            is_index = {*labels} <= {number for number, _ in indices}
            raise InputError(
                f"{where}: {place} says which class each number is. To read it so: --label-map "
                f"{label_map_text(pairs)}{other if is_index else ''}"
            )
    return is_named


def _by_index(label: str, classes: Sequence[str]) -> str | None:
    return classes[int(label)] if 0 <= int(label) < len(classes) else None


def _first(values: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((values[key] for key in keys if key in values), None)


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool | float) and _WHOLE.fullmatch(str(value)) is not None


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).lower()


def names_in_jq(found: Collection[tuple[str, Mapping[str, str]]], *, is_row: bool) -> str:
    """What `numbers_in_object` found first, as an array of names in jq, where ``$row`` is a row; empty if none is."""
    for key, pairs in found:
        if sorted(map(int, pairs)) == list(range(len(pairs))):
            literal = json.dumps([pairs[str(number)] for number in range(len(pairs))], ensure_ascii=False)
            return f"$row[{json.dumps(key)}]" if is_row and _plain(key).endswith(("names", "classes")) else literal
    return ""


def as_said(file: str, found: Collection[tuple[str, Mapping[str, str]]]) -> Iterator[Numbered]:
    """What `numbers_in_object` found in ``file``, with its place."""
    for key, pairs in found:
        yield f"{key!r} in {file}", tuple(pairs.items())
