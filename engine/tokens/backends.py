"""Texts → all their token ids in one flat array, special tokens included: nothing is cut or padded here.

By the package nanotoken where it is installed and gives the very ids that tokenizers gives, else by tokenizers. What is
equal is found out by trying: both make the ids of a sample of nasty texts when an encoding is made.

nanotoken remembers words, in up to 130 MiB a thread; its NANOTOKEN_CACHE_ENTRIES sets another bound.
"""

import json
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from engine.tokens.probe_texts import NASTY_TEXTS

# Rows whose encodings tokenizers holds at once: each takes some twenty times the memory of its ids.
_ENCODE_ROWS = 512
_SAMPLE_PIECES = 2048

_log = logging.getLogger(__name__)


class FlatIds(NamedTuple):
    """Token ids of many texts, one after the other.

    Attributes:
        ids: (tokens,) uint32.
        offsets: (rows + 1,) int64; row i is ``ids[offsets[i]:offsets[i + 1]]``.
    """

    ids: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]

    def replaced(self, rows: Sequence[int], others: "FlatIds") -> "FlatIds":
        """The same with ``others`` in the place of ``rows``."""
        parts = np.split(self.ids, self.offsets[1:-1])
        for row, part in zip(rows, np.split(others.ids, others.offsets[1:-1]), strict=True):
            parts[row] = part
        return FlatIds(np.concatenate(parts), offsets_of([len(part) for part in parts]))


MakesIds = Callable[[Sequence[str]], FlatIds]


def offsets_of(lengths: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(rows + 1,) where each row begins, and where the last one ends."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def with_tokenizers(tokenizer: Tokenizer) -> MakesIds:
    """Ids as tokenizers makes them; ``tokenizer`` has no truncation and no padding."""

    def make(texts: Sequence[str]) -> FlatIds:
        parts = [np.empty(0, np.uint32)]
        lengths: list[int] = []
        for start in range(0, len(texts), _ENCODE_ROWS):
            rows = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts[start : start + _ENCODE_ROWS])]
            lengths += map(len, rows)
            parts.append(np.fromiter(chain.from_iterable(rows), np.uint32, count=sum(map(len, rows))))
        return FlatIds(np.concatenate(parts), offsets_of(lengths))

    return make


def with_nanotoken(tokenizer: Tokenizer) -> MakesIds | None:
    """Ids as nanotoken makes them; None, and the reason in the log, where that is not possible or not the same."""
    return _found_nanotoken(tokenizer.to_str())


@lru_cache(maxsize=4)  # a command makes several encodings of a tokenizer: for its probe, its card and its rows
def _found_nanotoken(serialized: str) -> MakesIds | None:
    if json.loads(serialized)["model"]["type"] != "WordPiece":
        return None
    try:
        from nanotoken import Tokenizer as Nanotoken

        nanotoken = Nanotoken.from_json(serialized)
    except (ImportError, ValueError) as error:
        _log.debug("token ids come from tokenizers, not nanotoken: %s", error)
        return None
    tokenizer = Tokenizer.from_str(serialized)

    def make(texts: Sequence[str]) -> FlatIds:
        made = nanotoken.encode_batch(texts)
        return FlatIds(made.ids, made.offsets)

    if not _equal(make, with_tokenizers(tokenizer), _sample(tokenizer)):
        _log.debug("token ids come from tokenizers: those of nanotoken differ on the sample")
        return None
    return make


def _equal(one: MakesIds, other: MakesIds, texts: list[str]) -> bool:
    """Whether all ids are equal, also when they come from what ``one`` remembers of a first time."""
    wanted = other(texts)
    return all(np.array_equal(a, b) for made in (one(texts), one(texts)) for a, b in zip(made, wanted, strict=True))


def _sample(tokenizer: Tokenizer) -> list[str]:
    """Texts on which tokenizers of one kind tend to differ, and pieces of this one's own vocabulary."""
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()][:_SAMPLE_PIECES]
    vocabulary = sorted(tokenizer.get_vocab(with_added_tokens=False))
    pieces = vocabulary[:: max(1, len(vocabulary) // _SAMPLE_PIECES)]
    texts = [*NASTY_TEXTS, *(f"{token} a{token}b{token}{token}\t{token}.\u0301{token}" for token in added)]
    texts += [" ".join(pieces[start : start + 64]) for start in range(0, len(pieces), 64)]
    return [cased for text in texts for cased in (text, text.upper(), text.lower())]
