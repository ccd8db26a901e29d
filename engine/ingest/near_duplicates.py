"""Texts → which of them are nearly the same as others, such as copies with another ending or a few words changed.

The similarity of two texts is the Jaccard index of their sets of three words in a row (Broder 1997). Candidates come
from MinHash and banding, by the library datasketch, and are then compared exactly: what is found is as similar as it
must be, and of pairs that are, fewer than one in a thousand is missed.
"""

import re
import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import InputError

THRESHOLD = 0.8
_WORDS = 3
_PERMUTATIONS = 128
_MISSED = 1e-3
_WORD = re.compile(r"\w+")

Shingles = npt.NDArray[np.uint32]
"""(different shingles,) hashes, ascending."""


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
    """An index of texts that finds the one most similar to another text.

    Args:
        threshold: the least similarity that is found, more than 0 and at most 1.

    Raises:
        InputError: the threshold is none, or the package datasketch is missing.
    """

    def __init__(self, *, threshold: float = THRESHOLD) -> None:
        check_threshold(threshold)
        if not is_available():
            raise InputError(
                "near-duplicates are found with the package datasketch: pip install "
                "'softlabel-engine[near-duplicates]'; --near-duplicates 0 does without"
            )
        from datasketch import MinHash, MinHashLSH

        self._threshold = threshold
        self._empty: Any = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        self._index: Any = MinHashLSH(num_perm=_PERMUTATIONS, params=bands(threshold))
        self._held: list[Shingles] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, text: str) -> None:
        """Index one more text."""
        found = shingles(text)
        self._index.insert(len(self._held), self._signature(found), check_duplication=False)
        self._held.append(found)

    def most_similar(self, text: str) -> Similar | None:
        """The indexed text that is most similar to ``text``, the first of several; None if none is similar enough."""
        found = shingles(text)
        candidates = sorted(self._index.query(self._signature(found)))
        similarities = [jaccard(found, self._held[position]) for position in candidates]
        best = int(np.argmax(similarities)) if similarities else -1
        if best < 0 or similarities[best] < self._threshold:
            return None
        return Similar(position=candidates[best], similarity=similarities[best])

    def _signature(self, found: Shingles) -> Any:
        signature = self._empty.copy()
        signature.update_batch(found)
        return signature


def is_available() -> bool:
    """Whether the package that finds candidates is installed."""
    return find_spec("datasketch") is not None


def check_threshold(threshold: float) -> None:
    """Refuse what is no similarity.

    Raises:
        InputError: ``threshold`` is not more than 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise InputError(f"--near-duplicates is {threshold:g}; a similarity is more than 0 and at most 1")


def shingles(text: str) -> Shingles:
    """Hashes of three words in a row; of all words together if the text has no more. Letter case does not count."""
    words = _WORD.findall(text.casefold()) or [text.strip()]
    runs = [" ".join(words[first : first + _WORDS]) for first in range(max(1, len(words) - _WORDS + 1))]
    return np.unique(np.array([zlib.crc32(run.encode(errors="surrogatepass")) for run in runs], np.uint32))


def jaccard(first: Shingles, second: Shingles) -> float:
    """Shingles that both texts have, as a share of those that either has."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)


def bands(threshold: float) -> tuple[int, int]:
    """Bands, and rows of each, of a signature: as many rows as miss at most `_MISSED` of the pairs at ``threshold``."""
    best = (_PERMUTATIONS, 1)
    for rows in range(1, _PERMUTATIONS + 1):
        count = _PERMUTATIONS // rows
        if (1 - threshold**rows) ** count <= _MISSED:
            best = (count, rows)
    return best
