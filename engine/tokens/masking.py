"""Token ids → the same with some of them hidden, and which tokens these were. Pure numpy.

As in BERT (Devlin et al. 2019): 15 % of a text's tokens are to be found out; of these 80 % are replaced by the mask
token, 10 % by another one and 10 % stay. Other tokens are hidden in every epoch, as in RoBERTa (Liu et al. 2019).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.tokens.batches import flat
from engine.tokens.tokens import Tokens

SHARE = 0.15
IGNORED = -1
"""In the place of a token that is not to be found out."""
_MASKED, _REPLACED = 0.8, 0.9  # up to the first a mask token, up to the second another token


@dataclass(frozen=True, kw_only=True)
class MaskedTokens(Tokens):
    """Token ids of many texts, some of which are hidden.

    Attributes:
        places: (hidden,) int64, where in its row each hidden token is: ascending, row after row.
        starts: (rows + 1,) int64; those of row i are ``places[starts[i]:starts[i + 1]]``.
    """

    places: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def hidden(self, rows: npt.NDArray[np.int64], begins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(hidden,) where the hidden tokens of chosen rows are, if the rows begin at ``begins``, (n,)."""
        places = flat(self.places, self.starts, rows)
        return places + np.repeat(begins, np.diff(self.starts)[rows])


@dataclass(frozen=True, kw_only=True)
class Masking:
    """How tokens are hidden.

    Attributes:
        mask_id: the mask token.
        special: ids of tokens that are never hidden, nor put in the place of others.
        vocabulary: number of token ids.
        seed: of what is drawn.
    """

    mask_id: int
    special: npt.NDArray[np.int64]
    vocabulary: int
    seed: int

    def __call__(
        self, tokens: Tokens, numbers: npt.NDArray[np.int64], *, epoch: int
    ) -> tuple[MaskedTokens, npt.NDArray[np.int64]]:
        """Hide tokens of each row, by its number and the epoch alone, whatever rows are beside it.

        Args:
            tokens: of the texts.
            numbers: (rows,) of the texts, by which they are known in every epoch.
            epoch: from 0.

        Returns:
            The tokens, and (rows, most hidden in one) int64: the ids of those that were hidden, `IGNORED` behind them.
            A row of special tokens alone has none.
        """
        ids, usual = tokens.ids.copy(), ~np.isin(tokens.ids, self.special)
        places = []
        for row, number in enumerate(numbers.tolist()):
            begin, end = tokens.offsets[row], tokens.offsets[row + 1]
            chance = np.random.default_rng((self.seed, epoch, number))
            chosen = _chosen(np.flatnonzero(usual[begin:end]), chance)
            ids[begin + chosen] = self._hidden(ids[begin + chosen], chance)
            places.append(chosen)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(each) for each in places], dtype=np.int64)])
        joined = np.concatenate([np.empty(0, np.int64), *places])
        masked = MaskedTokens(ids=ids, offsets=tokens.offsets, truncated=tokens.truncated, places=joined, starts=starts)
        return masked, _labels(tokens, masked)

    def can_hide(self, tokens: Tokens) -> npt.NDArray[np.bool_]:
        """(rows,) whether a row has a token that may be hidden."""
        usual = np.concatenate([np.zeros(1, np.int64), np.cumsum(~np.isin(tokens.ids, self.special))])
        return usual[tokens.offsets[1:]] > usual[tokens.offsets[:-1]]

    @cached_property
    def _others(self) -> npt.NDArray[np.int64]:
        """Ids that may take the place of one that is hidden."""
        return np.setdiff1d(np.arange(self.vocabulary), self.special)

    def _hidden(self, ids: npt.NDArray[Any], chance: np.random.Generator) -> npt.NDArray[Any]:
        """What takes the place of ``ids``."""
        drawn, other = chance.random(len(ids)), self._others[chance.integers(len(self._others), size=len(ids))]
        return np.where(drawn < _MASKED, self.mask_id, np.where(drawn < _REPLACED, other, ids)).astype(ids.dtype)


def _chosen(usual: npt.NDArray[np.int64], chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """Those of ``usual`` that are hidden, ascending: `SHARE` of them, one at least if there are any."""
    count = max(1, round(SHARE * len(usual))) if len(usual) else 0
    return np.sort(usual[chance.random(len(usual)).argsort()[:count]])


def _labels(tokens: Tokens, masked: MaskedTokens) -> npt.NDArray[np.int64]:
    counts = np.diff(masked.starts)
    labels = np.full((len(counts), int(counts.max(initial=0))), IGNORED, np.int64)
    rows = np.arange(len(counts))
    labels[np.arange(labels.shape[1]) < counts[:, None]] = tokens.ids[masked.hidden(rows, tokens.offsets[:-1])]
    return labels
