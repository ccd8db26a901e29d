"""Metadata of a table of Arrow → the names that it gives to the whole numbers of its label column.

Hugging Face's datasets write them, Spark's StringIndexer, and people: as ``id2label``, or as a comment on the column.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.inputs.labels.names.codes_in_name import names_in_name
from engine.inputs.labels.names.label_files import names_of_label_file

_OF_SPARK = b"org.apache.spark.sql.parquet.row.metadata"
_OF_NAMES = (b"id2label", b"label2id", b"label_names", b"class_names", b"classes", b"labels")


def class_names(schema: pa.Schema, label: int | None, file: str, *, is_said: bool = False) -> tuple[str, ...] | None:
    """Names of the classes of a column of whole numbers, in the order of those; None if the file has none.

    They stand in the schema, or in the ``dataset_info.json`` beside a file that ``save_to_disk`` wrote.

    Args:
        schema: of the file.
        label: place of the column in it.
        file: its path.
        is_said: the user says of numbers which classes they are; only Hugging Face's names are stronger than that.
    """
    if label is None:
        return None
    features = _features(schema) or _features_beside(file)
    if names := names_of_feature(features.get(schema.names[label])):
        return names
    return None if is_said else _names_of_spark(schema, schema.names[label]) or _names_said(schema, label) or None


def _names_of_spark(schema: pa.Schema, label: str) -> tuple[str, ...]:
    """The values that Spark's StringIndexer numbered."""
    for field in _object((schema.metadata or {}).get(_OF_SPARK)).get("fields") or ():
        match field:
            case {"name": name, "metadata": {"ml_attr": {"vals": [*names]}}} if name == label:
                return tuple(map(str, names))
    return ()


def _names_said(schema: pa.Schema, label: int) -> tuple[str, ...]:
    """The names in metadata of the column, or in those of the table under a key that says so."""
    of_table = schema.metadata or {}
    said = [*(schema.field(label).metadata or {}).values(), *(of_table[key] for key in _OF_NAMES if key in of_table)]
    for value in said:
        try:
            names = names_of_label_file(value)
        except (ValueError, RecursionError):
            names = names_in_name(value.decode("utf-8", "replace"))
        if len(names) > 1:
            return names
    return ()


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
