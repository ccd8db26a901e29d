"""Rounds of human labels: their columns and statistics."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from store.families.kind import Cut, FamilyKind
from store.format.names import GOLD


def gold_schema() -> pa.Schema:
    """Human labels that came after the corpus was written."""
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("label", pa.int16(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("round", pa.int32(), nullable=False),
        ]
    )


def gold_statistics(rows: pa.Table) -> dict[str, Any]:
    """The statistics of a round: rows a class, rows a source, and a hash of all but its number.

    The hash is that of each row's number (8 bytes, little-endian), label (2 bytes) and source (UTF-8 and a NUL).
    """
    numbers = rows.column("row").to_numpy().astype("<i8")
    labels = rows.column("label").to_numpy().astype("<i2")
    sources = rows.column("source").to_pylist()
    digest = hashlib.sha256()
    for number, label, source in zip(numbers, labels, sources, strict=True):
        digest.update(number.tobytes() + label.tobytes() + source.encode() + b"\0")
    return {
        "labels": np.bincount(labels).tolist(),
        "sources": dict(sorted(Counter(sources).items())),
        "content": digest.hexdigest(),
    }


GOLD_KIND = FamilyKind(name=GOLD, schema=lambda _, __: gold_schema(), statistics=gold_statistics, cut=Cut.ROUNDS)
