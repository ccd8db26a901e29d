"""Metadata of Hugging Face's datasets → the names that a file gives to the whole numbers of its label column."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa


def class_names(schema: pa.Schema, label: int | None, file: str) -> tuple[str, ...] | None:
    """Names of the classes of a column of whole numbers, in the order of those; None if the file has none.

    They stand in the schema, or in the ``dataset_info.json`` beside a file that ``save_to_disk`` wrote.

    Args:
        schema: of the file.
        label: place of the column in it.
        file: its path.
    """
    if label is None:
        return None
    features = _features(schema) or _features_beside(file)
    return names_of_feature(features.get(schema.names[label]))


def _features(schema: pa.Schema) -> dict[str, Any]:
    return _of_info(_object((schema.metadata or {}).get(b"huggingface")).get("info"))


def _features_beside(file: str) -> dict[str, Any]:
    folder = Path(file).parent
    if Path(file).suffix.lower() != ".arrow" or not (folder / "state.json").is_file():
        return {}
    try:
        return _of_info(_object((folder / "dataset_info.json").read_bytes()))
    except OSError:
        return {}


def _object(text: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(text or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _of_info(info: Any) -> dict[str, Any]:
    features = info.get("features") if isinstance(info, dict) else None
    return features if isinstance(features, dict) else {}


def names_of_feature(feature: Any) -> tuple[str, ...] | None:
    """The names of a feature, which may also be a list of class labels."""
    match feature:
        case {"_type": "ClassLabel", "names": list() as names} if names:
            return tuple(map(str, names))
        case {"_type": "Sequence" | "List" | "LargeList", "feature": inner}:
            return names_of_feature(inner)
        case [inner]:
            return names_of_feature(inner)
    return None
