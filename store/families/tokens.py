"""Token ids of one encoding: their schema and statistics."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.errors import DamageError, StoreMissingError
from store.families.kind import FamilyKind
from store.format.family import Family
from store.format.header import Header
from store.format.names import CARD, TOKENS


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
    """The statistics of a token shard."""
    return {
        "tokens": sum(pc.sum(pc.list_value_length(rows.column("input_ids"))).as_py() or 0 for rows in batches),
        "truncated": sum(rows.column("truncated").true_count for rows in batches),
    }


def _schema(_: Header, family: Family) -> pa.Schema:
    """The width of the ids is in the card.

    Raises:
        StoreMissingError: there is no card.
        DamageError: it says no size of the vocabulary.
    """
    card = family.card()
    if card is None:
        raise StoreMissingError(f"{family.storage.location} has no family {family.path!r}")
    if type(card.get("vocab_size")) is not int:
        raise DamageError(f"{family.location}/{CARD} is damaged: it says no vocab_size")
    return tokens_schema(card["vocab_size"])


TOKENS_KIND = FamilyKind(
    name=TOKENS,
    schema=_schema,
    statistics=lambda rows: token_statistics(*rows.to_batches()),
    is_named=True,
    has_card=True,
    streamed=("input_ids",),
)
