"""Text → flat token ids + offsets, for one encoding: a tokenizer, a maximum length and a truncation side.

Decides what is kept of a text; `engine.tokens.backends` makes the ids. No tensor is made here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.tokens.backends import offsets_of
from engine.tokens.batches import flat


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token ids of many texts, one after the other.

    Attributes:
        ids: (tokens,) uint16 or uint32, special tokens included.
        offsets: (rows + 1,) int64; row i is ``ids[offsets[i]:offsets[i + 1]]``.
        truncated: (rows,) bool, whether the text had more tokens than the maximum length.
    """

    ids: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(rows,) tokens of each row."""
        return np.diff(self.offsets)

    def some(self, rows: npt.NDArray[np.int64]) -> "Tokens":
        """Those of ``rows``, (n,) row numbers, in their order."""
        ids = flat(self.ids, self.offsets, rows)
        return Tokens(ids=ids, offsets=offsets_of(self.lengths[rows]), truncated=self.truncated[rows])

    def row(self, row: int) -> npt.NDArray[Any]:
        """Token ids of one row."""
        ids: npt.NDArray[Any] = self.ids[self.offsets[row] : self.offsets[row + 1]]
        return ids


def made_up_tokens(size: int, *, longest: int, vocabulary: int = 100) -> Tokens:
    """About ``size`` tokens, below ``vocabulary``, in rows whose lengths are spread as those of reviews are."""
    chance = np.random.default_rng(0)
    lengths = np.clip(chance.lognormal(4.8, 0.8, max(1, size // 8)), 8, longest).astype(np.int64)
    lengths = lengths[: max(1, int(np.searchsorted(np.cumsum(lengths), size)))]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    ids = chance.integers(0, min(100, vocabulary), offsets[-1]).astype(np.uint16)
    return Tokens(ids=ids, offsets=offsets, truncated=np.zeros(len(lengths), np.bool_))
