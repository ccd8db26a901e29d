"""Keys of texts, in the order of the texts → earlier texts with the same keys.

Of each band there are a few sorted arrays, each at least `_RATIO` times as long as the next one: a new one is merged
with those before it that are not. A text takes 8 bytes a band.
"""

import numpy as np
import numpy.typing as npt

from engine.ingest.near_duplicates.bands import Keys
from engine.ingest.near_duplicates.hashes import Hashes, packed

_RATIO = 4
_MOST_OF_A_KEY = 64
_POSITION = np.uint64(0xFFFFFFFF)
MOST_TEXTS = 1 << 32


class KeyIndex:
    """An index by the keys of a number of bands.

    Of a key that more texts have, only the first `_MOST_OF_A_KEY` are found: where thousands share a template, each
    would else be compared with all.

    Args:
        bands: how many keys a text has.
    """

    def __init__(self, bands: int) -> None:
        self._arrays: list[list[Hashes]] = [[] for _ in range(bands)]
        self._texts = 0

    def __len__(self) -> int:
        return self._texts

    def add(self, keys: Keys) -> None:
        """Index more texts, behind those that are there."""
        texts = keys.shape[1]
        if self._texts + texts > MOST_TEXTS:
            raise OverflowError(f"more than {MOST_TEXTS:,} texts cannot be indexed")
        positions = np.arange(self._texts, self._texts + texts)
        for arrays, band in zip(self._arrays, keys, strict=True):
            arrays.append(np.sort(packed(band, positions)))
            while len(arrays) > 1 and len(arrays[-2]) < _RATIO * len(arrays[-1]):
                last = arrays.pop()
                arrays[-1] = np.concatenate([arrays[-1], last])
                arrays[-1].sort(kind="stable")  # two sorted runs are merged
        self._texts += texts

    def sharing(self, keys: Keys) -> Hashes:
        """Pairs of a text, by its place in ``keys``, and the position of an indexed one: packed, each once, sorted."""
        found = [self._of_band(band, arrays) for band, arrays in zip(keys, self._arrays, strict=True)]
        return np.unique(np.concatenate(found))

    def _of_band(self, band: npt.NDArray[np.uint32], arrays: list[Hashes]) -> Hashes:
        order = np.argsort(band, kind="stable")  # neighbours look in the same places
        wanted = packed(band[order], np.zeros(len(band), np.uint64))
        left = np.full(len(band), _MOST_OF_A_KEY)
        found = [np.zeros(0, np.uint64)]
        for array in arrays:
            first = np.searchsorted(array, wanted)
            times = np.minimum(np.searchsorted(array, wanted | _POSITION, side="right") - first, left)
            left -= times
            if hits := int(times.sum()):
                runs = np.repeat(first - np.cumsum(times) + times, times) + np.arange(hits)
                found.append(packed(np.repeat(order, times), array[runs] & _POSITION))
        return np.concatenate(found)
