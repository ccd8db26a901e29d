"""A small JSON file beside those of a data set, ``id2label.json`` and the like → the names that it gives to numbers."""

import json
import re
from typing import Any

LABEL_FILES = ("id2label.json", "label2id.json", "label_map.json", "labels_map.json", "label_mapping.json")
_WHOLE = re.compile(r"-?[0-9]+")


def names_of_label_file(content: bytes) -> tuple[str, ...]:
    """Names by number or numbers by name, also under a key as ``id2label`` → the names of 0, 1 and so on.

    Empty if ``content`` is something else.

    Raises:
        ValueError: it is no JSON, or the numbers are not those from 0 on.
    """
    value = json.loads(content)
    for key in ("id2label", "label2id"):
        value = value.get(key, value) if isinstance(value, dict) else value
    if isinstance(value, list) and all(isinstance(name, str) and not _is_whole(name) for name in value):
        return tuple(value)
    pairs = list(value.items()) if isinstance(value, dict) else []
    if pairs and all(_is_whole(name) for _, name in pairs):
        pairs = [(number, name) for name, number in pairs]
    if not all(_is_whole(number) and isinstance(name, str) and not _is_whole(name) for number, name in pairs):
        return ()
    named = {int(number): name for number, name in pairs}
    if sorted(named) != list(range(len(pairs))):
        raise ValueError(f"it names the labels {', '.join(str(number) for number, _ in pairs[:10])}, and not from 0 on")
    return tuple(named[number] for number in range(len(named)))


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and _WHOLE.fullmatch(str(value)) is not None
