"""The card beside the files of a data set → the names that it gives to the whole numbers in their label column.

CSV, JSON and text have no place for such names. Hugging Face keeps them in the head of ``README.md`` or in
``dataset_info.json``, others in ``id2label.json`` and the like, in the folder of the files or above it.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.arrow_files.class_names import names_of_feature
from engine.inputs.arrow_files.values import label_bytes
from engine.inputs.blocks import Problems, RawBlock
from engine.inputs.labels.names.codes_in_name import names_in_name
from engine.inputs.labels.names.label_files import LABEL_FILES, names_of_label_file
from engine.inputs.labels.names.numbered import numbers_beside
from engine.inputs.labels.spelling import label_map_text, spell, spelled
from engine.inputs.options import LabelMap, ReadOptions
from engine.inputs.usable_strings import strings_of

_ANY = ""  # in the place of a column: a file of names does not say which one has the labels
_CARDS = ("dataset_info.json", "dataset_infos.json", "README.md", *LABEL_FILES)
_ABOVE = 3  # folders in which a card is looked for: data/en/train.csv has its own in that of data
_HEAD = re.compile(rb"\A(?:\xef\xbb\xbf)?---\r?\n(.*?)^---\s*?$", re.DOTALL | re.MULTILINE)
_WHOLE = r"^(0|[1-9][0-9]{0,8})$"
_Named = dict[str, dict[str, tuple[str, ...]]]
"""By the name of a configuration: the names of the classes, by column."""


def with_names_of_card(blocks: Iterator[RawBlock], file: str, options: ReadOptions) -> Iterator[RawBlock]:
    """``blocks`` of ``file``, with the names of a card, or in the name of the column, for their labels.

    What the file itself or the user says of them wins.

    The names become a part of how the file is read, so that it gives the same labels again without the card.

    Raises:
        InputError: the card cannot be read, names the labels in several ways, or has no name for one.
    """
    said = dict(options.label_map or ())
    is_said = options.is_complete or options.names_numbers
    card: tuple[str, tuple[str, ...]] | None = None
    for number, block in enumerate(blocks):
        label = block.columns.label
        if number == 0 and label is not None and block.reading.classes is None and not is_said:
            names = names_in_name(label)
            card = (f"the column {label!r}", names) if names else _names_beside(file, label)
        if number == 0 and label is not None and card is None and not is_said and (found := numbers_beside(file)):
            reading = dataclasses.replace(block.reading, numbered=(*block.reading.numbered, *found))
            block = dataclasses.replace(block, reading=reading)
        yield block if card is None else _named(block, file, card, said)


def _named(block: RawBlock, file: str, card: tuple[str, tuple[str, ...]], said: dict[str, str]) -> RawBlock:
    where, names = card
    pairs = [(str(number), said.get(spell(name), spell(name))) for number, name in enumerate(names)]
    numbers = _whole_numbers(block, file)
    if numbers and numbers[-1] >= len(names):
        start = int(numbers[0] > 0 and numbers[-1] == len(names))  # 1, if they seem to be counted from there
        pairs = [(str(number), name) for number, (_, name) in enumerate(pairs, start)]
        raise InputError(
            f"{file} has the label {numbers[-1]}, and {where} names the labels 0 to {len(names) - 1}: "
            f"{', '.join(names[:10])}. Say which class each is, as by --label-map {label_map_text(pairs)}"
        )
    notes = block.reading.notes
    if numbers:
        words = ", ".join(f"{number} is {name}" for number, name in pairs[:10])
        notes += (f"{file}: {where} names its labels: {words}{', …' if len(pairs) > 10 else ''}",)
    label_map: LabelMap = (*said.items(), *pairs)
    options = dataclasses.replace(block.reading.options, label_map=label_map)
    reading = dataclasses.replace(block.reading, classes=names, notes=notes, options=options)
    return dataclasses.replace(block, reading=reading)


def _whole_numbers(block: RawBlock, file: str) -> list[int]:
    """Those among the labels of ``block``, sorted."""
    name = block.columns.label or ""
    unused: Problems = [None] * block.rows
    labels = strings_of(label_bytes(block.data[name], name=name, file=file), unused, "label")
    distinct = pc.unique(spelled(pc.unique(labels)))
    is_whole = pc.fill_null(pc.match_substring_regex(distinct, _WHOLE), False)
    return sorted(map(int, distinct.filter(is_whole).to_pylist()))


def _names_beside(file: str, column: str) -> tuple[str, tuple[str, ...]] | None:
    """The nearest card that names the classes of ``column``, and their names; None if there is none.

    Raises:
        InputError: it cannot be read, or names them in several ways.
    """
    path = Path(file).absolute()
    for folder in path.parents[:_ABOVE]:
        for card in (folder / name for name in _CARDS):
            if card.is_file():
                read = _read(card, card.stat().st_mtime_ns).items()
                named = {name: names for name, of in read if (names := of.get(column, of.get(_ANY)))}
                of_path = {name: names for name, names in named.items() if name in path.parts or name == path.stem}
                if named:
                    return str(card), _only(of_path or named, str(card), file)
    return None


def _only(named: dict[str, tuple[str, ...]], card: str, file: str) -> tuple[str, ...]:
    """The names, if all configurations have the same."""
    if len(set(named.values())) > 1:
        ways = "; or ".join(
            f"--label-map {label_map_text([(str(number), name) for number, name in enumerate(names)])} as in {config!r}"
            for config, names in list(named.items())[:3]
        )
        raise InputError(f"{card} names the labels of {file} in several ways; say which are right: {ways}")
    return next(iter(named.values()))


@functools.lru_cache(maxsize=64)
def _read(card: Path, modified: int) -> _Named:  # noqa: ARG001 - a card that was changed is read again
    """What ``card`` names."""
    try:
        content = card.read_bytes()
        if card.name in LABEL_FILES:
            return {"": {_ANY: names_of_label_file(content)}}
        return _of_json(content, card.name) if card.suffix == ".json" else _of_readme(content, card)
    except (OSError, ValueError) as error:
        raise InputError(f"{card} cannot be read: {error}. Mend it, or take it away") from error


def _of_json(content: bytes, name: str) -> _Named:
    if b'"ClassLabel"' not in content:
        return {}
    value = json.loads(content)
    infos = {"": value} if name == "dataset_info.json" else value
    pairs = infos.items() if isinstance(infos, dict) else ()
    return {config: _of_features(info.get("features")) for config, info in pairs if isinstance(info, dict)}


def _of_features(features: Any) -> dict[str, tuple[str, ...]]:
    pairs = features.items() if isinstance(features, dict) else ()
    named = ((name, names_of_feature(feature)) for name, feature in pairs)
    return {name: names for name, names in named if names is not None}


def _of_readme(content: bytes, card: Path) -> _Named:
    head = _HEAD.match(content)
    if head is None or b"class_label" not in head[1]:
        return {}
    import yaml  # huggingface_hub, which reads such heads too, needs it

    try:
        value = yaml.safe_load(head[1])
    except yaml.YAMLError as error:
        place = " ".join(str(error).split())
        raise InputError(f"{card} names classes, and its head is no YAML: {place}. Mend it, or take it away") from None
    infos = value.get("dataset_info") if isinstance(value, dict) else None
    infos = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
    return {str(info.get("config_name", "")): _of_list(info.get("features")) for info in infos}


def _of_list(features: Any) -> dict[str, tuple[str, ...]]:
    """Features as YAML lists them."""
    named = {}
    for feature in features if isinstance(features, list) else ():
        if isinstance(feature, dict) and (names := _of_yaml(feature)):
            named[str(feature.get("name"))] = names
    return named


def _of_yaml(feature: dict[str, Any]) -> tuple[str, ...]:
    """The names of a feature, which may also be a list of class labels."""
    for kind in (feature.get(key) for key in ("dtype", "sequence", "list", "class_label")):
        if isinstance(kind, dict):
            names = kind.get("class_label", kind).get("names") if "dtype" not in kind else None
            if isinstance(names, dict):
                names = _in_order(names)
            return tuple(map(str, names)) if isinstance(names, list) else _of_yaml(kind)
    return ()


def _in_order(names: dict[Any, Any]) -> list[Any]:
    """Names by their numbers, which YAML may take for strings."""
    numbered = {int(number): name for number, name in names.items()}
    if sorted(numbered) != list(range(len(names))):
        raise ValueError(f"class_label has names for {', '.join(map(str, names))}, and not from 0 on")
    return [numbered[number] for number in range(len(names))]
