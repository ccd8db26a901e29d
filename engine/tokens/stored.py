"""Token ids in a store: what makes a family of them, and `engine.tokens.tokens.Tokens` ⇄ its shards."""

from typing import Any

import numpy as np
import pyarrow as pa

from engine.tokens.encoding import Encoding
from engine.tokens.tokens import Tokens
from store.errors import MismatchError
from store.families.tokens import token_statistics, tokens_schema
from store.format.family import Family
from store.format.record import Record
from store.format.shard import read_shard, write_shard


def tokens_card(encoding: Encoding) -> dict[str, Any]:
    """The card of a token family."""
    return {
        "encoding": encoding.name,
        "encoding_sha256": encoding.fingerprint,
        "max_length": encoding.max_length,
        "truncation_side": encoding.side,
        "vocab_size": encoding.vocab_size,
    }


def check_tokens(family: Family, encoding: Encoding) -> None:
    """Refuse stored tokens of another encoding.

    Raises:
        MismatchError: the fingerprints differ.
    """
    card = family.card() or {}
    if card.get("encoding_sha256") != encoding.fingerprint:
        raise MismatchError(
            f"{family.storage.location}/{family.path} holds tokens of the encoding {card.get('encoding_sha256')}, "
            f"and this run's is {encoding.fingerprint}"
        )


def read_tokens(family: Family, record: Record) -> Tokens:
    """The tokens of a committed shard."""
    table = read_shard(family, record, check_hash=True)
    column = table.column("input_ids").combine_chunks()
    offsets = column.offsets.to_numpy().astype(np.int64)
    return Tokens(
        ids=column.values.to_numpy()[offsets[0] : offsets[-1]],
        offsets=offsets - offsets[0],
        truncated=table.column("truncated").to_numpy(),
    )


def write_tokens(family: Family, shard: int, first_row: int, tokens: Tokens, encoding: Encoding) -> None:
    """Commit the tokens of a shard; the family's card too, where it has none.

    Raises:
        MismatchError: the family holds tokens of another encoding.
    """
    family.freeze_card(tokens_card(encoding))
    check_tokens(family, encoding)
    schema = tokens_schema(encoding.vocab_size)
    ids = pa.ListArray.from_arrays(
        pa.array(tokens.offsets, pa.int32()), pa.array(tokens.ids), type=schema.field("input_ids").type
    )
    rows = pa.array(np.arange(first_row, first_row + len(tokens.truncated)))
    batch = pa.record_batch([rows, ids, pa.array(tokens.truncated)], schema=schema)
    write_shard(family, shard, first_row, [batch], schema=schema, statistics=token_statistics(batch))
