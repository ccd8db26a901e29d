"""The columns of each family, as Arrow schemas, and the rule that cuts rows into shards.

This module knows names and types. It reads and writes nothing.
"""

import re

import pyarrow as pa

from store.errors import InvalidNameError

FORMAT_VERSION = 1
CORPUS = "corpus"
TOKENS = "tokens"
LABELS = "labels"
GOLD = "gold"
REJECTS = "rejects"

RESERVED_COLUMNS = (
    "row", "id", "text", "label", "n_chars", "text_hash", "class", "shard", "gold", "gold_class", "gold_round",
    "gold_source", "label_set", "prediction", "confidence", "margin", "entropy", "n_tokens", "truncated", "failure",
    "logits",
)  # fmt: skip

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def is_name(name: str) -> bool:
    """Whether ``name`` can be that of a label set, an encoding or a selection."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, *, what: str) -> str:
    """``name`` itself, if it can be the name of a label set, an encoding or a selection.

    Args:
        name: the name.
        what: what it names, for the message.

    Raises:
        InvalidNameError: it does not match ``[a-z0-9][a-z0-9._-]{0,63}``.
    """
    if not is_name(name):
        raise InvalidNameError(
            f"{what} {name!r}: a name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit"
        )
    return name


def shard_range(shard: int, *, rows: int, shards: int) -> tuple[int, int]:
    """First row of a shard and the row after its last: contiguous and equal but for one row.

    The inverse is `shard_of`.
    """
    return shard * rows // shards, (shard + 1) * rows // shards


def shard_of(row: int, *, rows: int, shards: int) -> int:
    """The shard that holds ``row``. The inverse of `shard_range`."""
    return ((row + 1) * shards - 1) // rows


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


def labels_schema(classes: int, *, logit: pa.DataType | None = None) -> pa.Schema:
    """Soft labels of one model.

    Args:
        classes: number of classes, C.
        logit: type of one logit: float16 as stored (the default), or float32 to read with DuckDB, whose
            Arrow scan refuses float16.
    """
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("logits", pa.list_(pa.field("item", logit or pa.float16(), nullable=False), classes)),
            pa.field("prediction", pa.int16()),
            pa.field("confidence", pa.float32()),
            pa.field("margin", pa.float32()),
            pa.field("entropy", pa.float32()),
            pa.field("n_tokens", pa.uint16(), nullable=False),
            pa.field("truncated", pa.bool_(), nullable=False),
            pa.field("failure", pa.string()),
        ]
    )


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


def rejects_schema() -> pa.Schema:
    """Input rows that were refused. ``source_row`` counts from 1 inside its file."""
    return pa.schema(
        [
            pa.field("file", pa.string(), nullable=False),
            pa.field("source_row", pa.int64(), nullable=False),
            pa.field("id", pa.string()),
            pa.field("reason", pa.string(), nullable=False),
        ]
    )
