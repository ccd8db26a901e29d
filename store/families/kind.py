"""What a shard's record says of its rows: a pure function of them, so that `store.verify.verify` can ask again."""

from typing import Any

import pyarrow as pa

from store.families.corpus import add_statistics, corpus_statistics
from store.families.gold import gold_statistics
from store.families.labels import label_statistics
from store.families.tokens import token_statistics
from store.format.names import CORPUS, GOLD, LABELS, TOKENS
from store.format.shard import one_batch


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
