"""The corpus: its schema and statistics, and texts → its columns."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.families.kind import FamilyKind
from store.families.text_hash import text_hashes
from store.format.family import Family
from store.format.header import Header
from store.format.names import CORPUS


def corpus_batch(
    *, first_row: int, ids: pa.Array, texts: pa.Array, labels: pa.Array, extras: dict[str, pa.Array]
) -> pa.RecordBatch:
    """One record batch of the corpus.

    Args:
        first_row: row number of the first row; the others follow it without a gap.
        ids: (rows,) string.
        texts: (rows,) string.
        labels: (rows,) int16, index of the gold class or null.
        extras: (rows,) kept input columns, by name.
    """
    columns = [
        pa.array(np.arange(first_row, first_row + len(texts))),
        ids,
        texts,
        labels,
        pc.utf8_length(texts),
        pa.array(text_hashes(texts)),
        *extras.values(),
    ]
    return pa.record_batch(columns, schema=corpus_schema({name: array.type for name, array in extras.items()}))


def corpus_statistics() -> dict[str, Any]:
    """Statistics of a corpus shard of no rows; `add_statistics` adds a batch to them."""
    return {"characters": 0, "gold": 0}


def add_statistics(statistics: dict[str, Any], batch: pa.RecordBatch) -> None:
    """Count ``batch`` into ``statistics``."""
    statistics["characters"] += pc.sum(batch.column("n_chars")).as_py() or 0
    statistics["gold"] += batch.num_rows - batch.column("label").null_count


def _statistics(rows: pa.Table) -> dict[str, Any]:
    statistics = corpus_statistics()
    for batch in rows.to_batches():
        add_statistics(statistics, batch)
    return statistics


def corpus_schema(extras: dict[str, pa.DataType] | None = None) -> pa.Schema:
    """Texts and what came with them. ``extras``: kept input columns, in order."""
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("label", pa.int16()),
            pa.field("n_chars", pa.int32(), nullable=False),
            pa.field("text_hash", pa.uint64(), nullable=False),
            *(pa.field(name, type_) for name, type_ in (extras or {}).items()),
        ]
    )


def _schema(header: Header, _: Family) -> pa.Schema:
    return corpus_schema({name: pa.type_for_alias(alias) for name, alias in header.kept.items()})


CORPUS_KIND = FamilyKind(name=CORPUS, schema=_schema, statistics=_statistics, is_compressed=True, has_extras=True)
