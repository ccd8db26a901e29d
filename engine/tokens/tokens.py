"""Text → flat token ids + offsets, for one encoding: a tokenizer, a maximum length and a truncation side.

Decides what is kept of a text; `engine.tokens.backends` makes the ids. No tensor is made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.tokens.backends import offsets_of
from engine.tokens.batches import flat
from engine.tokens.frame import Frame


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


def made_up_tokens(size: int, *, longest: int, vocabulary: int = 100, frame: Frame | None = None) -> Tokens:
    """About ``size`` tokens, below ``vocabulary``, in rows whose lengths are spread as those of reviews are.

    With ``frame``, each row begins and ends as the tokenizer's do: some models compute no other rows.
    """
    chance = np.random.default_rng(0)
    lengths = np.clip(chance.lognormal(4.8, 0.8, max(1, size // 8)), 8, longest).astype(np.int64)
    lengths = lengths[: max(1, int(np.searchsorted(np.cumsum(lengths), size)))]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    ids = chance.integers(0, min(100, vocabulary), offsets[-1]).astype(np.uint32)
    if frame is not None:
        put_frame(ids, offsets, frame)
    return Tokens(ids=ids, offsets=offsets, truncated=np.zeros(len(lengths), np.bool_))


def tokens_of(rows: Sequence[Sequence[int]]) -> Tokens:
    """Rows of ids, none of them cut."""
    lengths = [len(row) for row in rows]
    ids = np.fromiter(chain.from_iterable(rows), np.uint32, count=sum(lengths))
    return Tokens(ids=ids, offsets=offsets_of(lengths), truncated=np.zeros(len(rows), np.bool_))


def put_frame(ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], frame: Frame) -> None:
    """Write the special tokens of ``frame`` over the first and last tokens of each row that is long enough."""
    long = np.diff(offsets) >= len(frame.before) + len(frame.after)
    for number, token in enumerate(frame.before):
        ids[offsets[:-1][long] + number] = token
    for number, token in enumerate(reversed(frame.after), start=1):
        ids[offsets[1:][long] - number] = token
