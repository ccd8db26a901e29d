"""What a shard's record says of its rows: a pure function of them, so that `store.verify` can ask again."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.schema import CORPUS, LABELS, TOKENS
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
    return token_statistics(*rows.to_batches()) if kind == TOKENS else {}


def token_statistics(*batches: pa.RecordBatch) -> dict[str, Any]:
    """What a token shard's record says of it."""
    return {
        "tokens": sum(pc.sum(pc.list_value_length(rows.column("input_ids"))).as_py() or 0 for rows in batches),
        "truncated": sum(rows.column("truncated").true_count for rows in batches),
    }
