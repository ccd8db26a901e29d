"""What a shard's record says of its rows: a pure function of them, so that `store.verify` can ask again."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.schema import CORPUS, GOLD, LABELS, TOKENS
from store.shard import one_batch
from store.soft_labels import label_statistics
from store.texts import add_statistics, corpus_statistics


def shard_statistics(path: str, rows: pa.Table) -> dict[str, Any]:
    """The statistics of a shard of the family at ``path`` that holds ``rows``."""
    kind = path.split("/")[0]
    if kind == CORPUS:
        statistics = corpus_statistics()
        for batch in rows.to_batches():
            add_statistics(statistics, batch)
        return statistics
    if kind == LABELS:
        return label_statistics(one_batch(rows))
    if kind == GOLD:
        return gold_statistics(rows)
    return token_statistics(*rows.to_batches()) if kind == TOKENS else {}


def token_statistics(*batches: pa.RecordBatch) -> dict[str, Any]:
    """What a token shard's record says of it."""
    return {
        "tokens": sum(pc.sum(pc.list_value_length(rows.column("input_ids"))).as_py() or 0 for rows in batches),
        "truncated": sum(rows.column("truncated").true_count for rows in batches),
    }


def gold_statistics(rows: pa.Table) -> dict[str, Any]:
    """What the record of a round says of it: rows a class, rows a source, and a hash of all but its number.

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
