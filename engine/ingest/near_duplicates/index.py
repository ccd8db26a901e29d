"""An index of texts → those of them that are nearly the same as another text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.ingest.near_duplicates.bands import BandKeys, Keys
from engine.ingest.near_duplicates.hashes import Hashes, packed
from engine.ingest.near_duplicates.key_index import KeyIndex
from engine.ingest.near_duplicates.shingle_file import ShingleFile
from engine.ingest.near_duplicates.shingles import ShingleSets, shingle_sets

THRESHOLD = 0.8
LEAST = 0.1
"""Of what is less alike, too much would be missed."""
_AT_ONCE = 1 << 20  # shingles that are compared


@dataclass(frozen=True, kw_only=True)
class SimilarPairs:
    """Pairs of a text that was asked about and an indexed one.

    Attributes:
        places: (pairs,) int64 of the first, among those that were asked about; ascending.
        positions: (pairs,) int64 of the second, counted from 0 in the order in which they were added; for each place
            ascending.
        similarities: (pairs,) float64, from the threshold to 1.
    """

    places: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Similar:
    """An indexed text that is nearly the same as another text.

    Attributes:
        position: of the indexed text, counted from 0 in the order in which they were added.
        similarity: from the threshold to 1.
    """

    position: int
    similarity: float


class NearDuplicates:
    """An index of texts that finds those that are similar to another text.

    Args:
        threshold: the least similarity that is found, from `LEAST` to 1.
        named: what gave it, for the message.

    Raises:
        InputError: the threshold is none.
    """

    def __init__(self, *, threshold: float = THRESHOLD, named: str = "--near-duplicates") -> None:
        check_threshold(threshold, named=named)
        self._threshold = threshold
        self._band_keys = BandKeys(threshold)
        self._index = KeyIndex(self._band_keys.count)
        self._held = ShingleFile()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, texts: Sequence[str]) -> None:
        """Index more texts."""
        if texts:
            sets = shingle_sets(texts)
            self._add(sets, self._band_keys.keys(sets))

    def _add(self, sets: ShingleSets, keys: Keys) -> None:
        self._index.add(keys)
        self._held.add(sets)

    def pairs(self, texts: Sequence[str]) -> SimilarPairs:
        """All indexed texts that are similar enough to each of ``texts``."""
        if not texts or not len(self):
            return _pairs(np.zeros(0, np.uint64), np.zeros(0))
        sets = shingle_sets(texts)
        return self._compared(sets, self._index.sharing(self._band_keys.keys(sets)))

    def add_with_pairs(self, texts: Sequence[str]) -> SimilarPairs:
        """Index more texts; of each, those that come before it and are similar enough."""
        if not texts:
            return _pairs(np.zeros(0, np.uint64), np.zeros(0))
        first, sets = len(self), shingle_sets(texts)
        keys = self._band_keys.keys(sets)
        self._add(sets, keys)
        found = self._index.sharing(keys)
        return self._compared(sets, found[_low(found) < _high(found) + first])

    def most_similar(self, texts: Sequence[str]) -> list[Similar | None]:
        """The indexed text that is most similar to each of ``texts``, the first of several; None if none is enough."""
        found, best = self.pairs(texts), dict[int, Similar]()
        columns = (found.places.tolist(), found.positions.tolist(), found.similarities.tolist())
        for place, position, similarity in zip(*columns, strict=True):
            if place not in best or similarity > best[place].similarity:
                best[place] = Similar(position=position, similarity=similarity)
        return [best.get(place) for place in range(len(texts))]

    def _compared(self, sets: ShingleSets, found: Hashes) -> SimilarPairs:
        """Those of the packed pairs ``found`` that are similar enough."""
        ours, theirs = sets.sizes[_high(found)], self._held.sizes(_low(found))
        is_possible = np.minimum(ours, theirs) >= self._threshold * np.maximum(ours, theirs)
        found, shingles = found[is_possible], sets.packed()
        pieces = np.searchsorted(np.cumsum(theirs[is_possible]), np.arange(_AT_ONCE, theirs.sum(), _AT_ONCE))
        parts = [self._similarities(sets, shingles, part) for part in np.split(found, np.unique(pieces))]
        similarities = np.concatenate(parts)
        is_enough = similarities >= self._threshold
        return _pairs(found[is_enough], similarities[is_enough])

    def _similarities(self, sets: ShingleSets, shingles: Hashes, found: Hashes) -> npt.NDArray[np.float64]:
        """The Jaccard index of each pair: shingles that both have, as a share of those that either has."""
        if not len(found):
            return np.zeros(0)
        theirs, places = self._held.of(_low(found)), _high(found)
        of_pair = np.repeat(np.arange(len(found)), theirs.sizes)
        wanted = packed(places[of_pair], theirs.values)
        where = np.searchsorted(shingles, wanted)
        is_there = shingles[np.minimum(where, len(shingles) - 1)] == wanted
        both = np.bincount(of_pair[is_there], minlength=len(found))
        similarities: npt.NDArray[np.float64] = both / (sets.sizes[places] + theirs.sizes - both)
        return similarities


def _high(pairs: Hashes) -> npt.NDArray[np.int64]:
    return (pairs >> np.uint64(32)).astype(np.int64)


def _low(pairs: Hashes) -> npt.NDArray[np.int64]:
    return (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _pairs(pairs: Hashes, similarities: npt.NDArray[np.float64]) -> SimilarPairs:
    return SimilarPairs(places=_high(pairs), positions=_low(pairs), similarities=similarities)


def check_threshold(threshold: float, *, named: str = "--near-duplicates") -> None:
    """Refuse what is no similarity.

    Raises:
        InputError: ``threshold``, which ``named`` gave, is less than `LEAST` or more than 1.
    """
    if not LEAST <= threshold <= 1:
        raise InputError(f"{named} is {threshold:g}; a similarity is from {LEAST:g} to 1")
