"""Shingles → keys: two texts that share one of them may be similar, and those that share none hardly are.

A key is a hash of some minima of a text, each under another order of all shingles: two texts have the same minimum as
often as they are similar (Broder 1997). How many minima make a key, and how many keys there are, follows from the
similarity that is to be found.
"""

import math

import numpy as np
import numpy.typing as npt

from engine.ingest.near_duplicates.hashes import Hashes, mixed, upper
from engine.ingest.near_duplicates.shingles import ShingleSets

_MISSED = 1e-3
_MOST_MINIMA = 72

Keys = npt.NDArray[np.uint32]
"""(bands, texts): keys are looked up band by band."""


def bands(threshold: float) -> tuple[int, int]:
    """Bands, and minima of each: as many of these as miss at most `_MISSED` of the pairs at ``threshold``."""
    best = (_MOST_MINIMA, 1)
    for minima in range(1, _MOST_MINIMA + 1):
        collides = threshold**minima
        count = 1 if collides == 1 else math.ceil(math.log(_MISSED) / math.log1p(-collides))
        if count * minima <= _MOST_MINIMA:
            best = (count, minima)
    return best


class BandKeys:
    """Makes keys.

    Args:
        threshold: the least similarity that is to be found.
    """

    def __init__(self, threshold: float) -> None:
        self._bands, self._minima = bands(threshold)
        drawn = mixed(np.arange(1, 2 * self._bands * self._minima + 1, dtype=np.uint64)).astype(np.uint32)
        self._factors, self._offsets = drawn[::2] | np.uint32(1), drawn[1::2]

    @property
    def count(self) -> int:
        """How many keys a text has: one a band, and before them that of the whole set, which equal sets share."""
        return self._bands + 1

    def keys(self, sets: ShingleSets) -> Keys:
        """The keys of texts."""
        first = sets.starts[:-1]
        whole = upper(mixed(np.add.reduceat(mixed(sets.values.astype(np.uint64)), first)))
        rows = [whole]
        orders = list(zip(self._factors, self._offsets, strict=True))
        for band in range(self._bands):
            key: Hashes = np.zeros(len(first), np.uint64)
            for factor, offset in orders[band * self._minima : (band + 1) * self._minima]:
                key = mixed(key + np.minimum.reduceat(sets.values * factor + offset, first))
            rows.append(upper(key))
        return np.stack(rows)
