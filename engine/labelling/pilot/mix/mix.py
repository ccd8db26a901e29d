"""The mix of a corpus: how many texts it has of each length, of each input file. Pure numpy.

A *stratum* is one length class of one group of input files. Lengths are in characters, as the corpus has them; a length
class spans a factor of √2, so that texts of one stratum have nearly as many tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

LENGTHS = 48
GROUPS = 8
"""Groups of input files: each of the largest ones alone, and all others together."""
STRATA = LENGTHS * GROUPS


def strata_of(characters: npt.NDArray[np.integer], group: int | Numbers) -> Numbers:
    """(n,) stratum of each text.

    Args:
        characters: (n,) of each text.
        group: of the input file of all, or (n,) of each.
    """
    lengths = np.floor(2 * np.log2(np.maximum(characters, 1))).astype(np.int64)
    strata: Numbers = np.asarray(group) * LENGTHS + np.minimum(lengths, LENGTHS - 1)
    return strata


def file_groups(rows: Sequence[int]) -> list[int]:
    """The group of each input file, by the ``rows`` that each has: the largest ones have one of their own."""
    largest = sorted(range(len(rows)), key=lambda number: -rows[number])[: GROUPS - 1]
    own = {number: group for group, number in enumerate(largest)}
    return [own.get(number, GROUPS - 1) for number in range(len(rows))]


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What there is to label.

    Attributes:
        shards: (n,) their numbers.
        rows: (n, strata) texts of each.
        characters: (n, strata) of these.
        gold: (strata,) texts with gold.
    """

    shards: Numbers
    rows: Numbers
    characters: Numbers
    gold: Numbers

    def without(self, done: Sequence[int]) -> "Mix":
        """The same less the shards ``done``; gold is that of all."""
        kept = ~np.isin(self.shards, np.array(list(done), np.int64))
        return Mix(shards=self.shards[kept], rows=self.rows[kept], characters=self.characters[kept], gold=self.gold)

    @property
    def total(self) -> int:
        """All texts."""
        return int(self.rows.sum())


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Texts that were drawn at random.

    Attributes:
        places: (n,) that say where each is, ascending in no order.
        strata: (n,) of each.
        keys: (n,) random, from 0 to 1: of two of a stratum the smaller one was drawn first.
        gold: (n,) class index of the human label; -1 for a text without one.
    """

    places: Numbers
    strata: Numbers
    keys: npt.NDArray[np.float64]
    gold: Numbers

    def take(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "Candidates":
        """Some of them."""
        return Candidates(
            places=self.places[chosen], strata=self.strata[chosen], keys=self.keys[chosen], gold=self.gold[chosen]
        )

    def __len__(self) -> int:
        return len(self.places)


def together(parts: Sequence[Candidates]) -> Candidates:
    """All of ``parts``, at least one."""
    return Candidates(
        places=np.concatenate([part.places for part in parts]),
        strata=np.concatenate([part.strata for part in parts]),
        keys=np.concatenate([part.keys for part in parts]),
        gold=np.concatenate([part.gold for part in parts]),
    )


class Reservoir:
    """Keeps random texts of any number that pass, in bounded memory: of all, and of those with gold.

    Args:
        size: how many of each are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._largest = self._largest_with_gold = np.inf
        self._held = Candidates(
            places=np.empty(0, np.int64),
            strata=np.empty(0, np.int64),
            keys=np.empty(0, np.float64),
            gold=np.empty(0, np.int64),
        )

    def add(self, passing: Candidates) -> bool:
        """Consider more texts; whether any of them may have been kept."""
        has_gold = passing.gold >= 0
        fitting = passing.take((passing.keys < self._largest) | (has_gold & (passing.keys < self._largest_with_gold)))
        if not len(fitting):
            return False
        everything = together([self._held, fitting])
        with_gold = np.where(everything.gold >= 0, everything.keys, np.inf)
        self._largest, self._largest_with_gold = (_nth(keys, self._size) for keys in (everything.keys, with_gold))
        kept = (everything.keys <= self._largest) | (with_gold <= self._largest_with_gold) & np.isfinite(with_gold)
        self._held = everything.take(kept)
        return True

    @property
    def held(self) -> Candidates:
        """The texts that are kept now."""
        return self._held


def _nth(keys: npt.NDArray[np.float64], count: int) -> float:
    """The ``count``-th smallest of ``keys``; infinite if there are fewer."""
    return float(np.partition(keys, count - 1)[count - 1]) if len(keys) >= count else np.inf
