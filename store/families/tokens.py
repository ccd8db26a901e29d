"""Token ids of one encoding: their columns and statistics."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def tokens_schema(vocab_size: int) -> pa.Schema:
    """Token ids of one encoding, special tokens included, cut at its maximum length."""
    ids = pa.uint16() if vocab_size <= 1 << 16 else pa.uint32()
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("input_ids", pa.list_(pa.field("item", ids, nullable=False)), nullable=False),
            pa.field("truncated", pa.bool_(), nullable=False),
        ]
    )


def token_statistics(*batches: pa.RecordBatch) -> dict[str, Any]:
    """What a token shard's record says of it."""
    return {
        "tokens": sum(pc.sum(pc.list_value_length(rows.column("input_ids"))).as_py() or 0 for rows in batches),
        "truncated": sum(rows.column("truncated").true_count for rows in batches),
    }
