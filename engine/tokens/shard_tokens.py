"""A corpus shard → its token ids: the stored ones, or new ones from its texts."""

import numpy as np

from engine.ingest.write_corpus import read_texts
from engine.progress import Tick, silent
from engine.tokens.encoding import Encoding
from engine.tokens.stored import check_tokens, read_tokens, write_tokens
from engine.tokens.tokens import Tokens
from store import Store
from store.format.family import Family

# Texts tokenised between two ticks: a few hundred milliseconds.
_TICK_TEXTS = 1024


def shard_tokens(snapshot: Store, encoding: Encoding, shard: int, *, keep: bool, tick: Tick = silent) -> Tokens:
    """Token ids of ``shard``: the stored ones, otherwise those of its texts, which are stored if ``keep``."""
    family = snapshot.tokens(encoding.name)
    record = family.record(shard)
    if record is not None:
        check_tokens(family, encoding)
        return read_tokens(family, record)
    return tokenise_shard(snapshot, encoding, shard, family if keep else None, tick=tick)


def tokenise_shard(
    snapshot: Store, encoding: Encoding, shard: int, family: Family | None, *, tick: Tick = silent
) -> Tokens:
    """Token ids of the texts of ``shard``; committed to ``family`` if one is given."""
    tokens = _encode(encoding, read_texts(snapshot, shard), tick)
    if family is not None:
        first_row, _ = snapshot.layout.range_of(shard)
        write_tokens(family, shard, first_row, tokens, encoding)
    return tokens


def _encode(encoding: Encoding, texts: list[str], tick: Tick) -> Tokens:
    """Tokens of all texts, made in parts so that there is a tick after each."""
    parts = []
    for start in range(0, len(texts), _TICK_TEXTS):
        parts.append(encoding.encode(texts[start : start + _TICK_TEXTS]))
        tick("tokenising", 0, len(texts))
    if not parts:
        return encoding.encode([])
    lengths = np.concatenate([part.lengths for part in parts])
    return Tokens(
        ids=np.concatenate([part.ids for part in parts]),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        truncated=np.concatenate([part.truncated for part in parts]),
    )
