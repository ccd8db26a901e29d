"""A store → the mix of some of its shards, random rows of them, and what a label set says of rows. Reads no texts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.labelling.pilot.mix.mix import STRATA, Candidates, Mix, Numbers, Reservoir, file_groups, strata_of
from engine.progress import Tick, silent
from store.format.names import CORPUS
from store.gold.held import has_gold
from store.gold.reader import GoldReader
from store.rows.family_reader import FamilyReader
from store.snapshot import Snapshot

_SEED = 0x9170


class ShardRows(NamedTuple):
    """The rows of one shard of the corpus.

    Attributes:
        rows: (n,) their numbers.
        characters: (n,) of each.
        strata: (n,) of each.
        gold: (n,) class index; -1 for none.
    """

    rows: Numbers
    characters: Numbers
    strata: Numbers
    gold: Numbers


class CorpusRows:
    """Reads the lengths, input files and gold of a store's rows, a shard at a time.

    Args:
        store: with the texts of the shards that are asked for.
    """

    def __init__(self, store: Snapshot) -> None:
        self._layout = store.layout
        self._lengths = FamilyReader(store, CORPUS, ["n_chars"])
        self._gold = GoldReader(store) if has_gold(store) else None
        entries = [entry for segment in store.header.segments for entry in segment.inputs]
        accepted = [entry["rows"] - entry["rejected"] for entry in entries]
        self._ends, self._groups = np.cumsum(accepted), np.array(file_groups(accepted), np.int64)

    def read(self, shard: int) -> ShardRows:
        """The rows of ``shard``."""
        rows = np.arange(*self._layout.range_of(shard))
        characters = _numbers([piece["n_chars"] for piece in self._lengths.read(rows)])
        groups = self._groups[np.searchsorted(self._ends, rows, side="right")]
        gold = np.full(len(rows), -1)
        if self._gold is not None:
            gold = _numbers([piece["gold"].fill_null(-1) for piece in self._gold.read(rows)])
        return ShardRows(rows, characters, strata_of(characters, groups), gold)


def read_mix(
    store: Snapshot, shards: Sequence[int], *, rows: int, tick: Tick = silent
) -> tuple[Mix, Candidates, CorpusRows]:
    """The mix of ``shards``, and random rows of them: so many times four, and so many with gold, as far as there are.

    Args:
        store: the store.
        shards: numbers of those that are to be labelled.
        rows: of a pilot.
        tick: told how far it is.
    """
    reader, reservoir = CorpusRows(store), Reservoir(4 * rows)
    counts, characters = np.zeros((2, len(shards), STRATA), np.int64)
    gold = np.zeros(STRATA, np.int64)
    for place, shard in enumerate(shards):
        read = reader.read(shard)
        counts[place] = np.bincount(read.strata, minlength=STRATA)
        characters[place] = np.bincount(read.strata, read.characters, minlength=STRATA)
        gold += np.bincount(read.strata[read.gold >= 0], minlength=STRATA)
        keys = np.random.default_rng([_SEED, shard]).random(len(read.rows))
        reservoir.add(Candidates(places=read.rows, strata=read.strata, keys=keys, gold=read.gold))
        tick("reading lengths", place + 1, len(shards))
    mix = Mix(shards=np.array(shards, np.int64), rows=counts, characters=characters, gold=gold)
    return mix, reservoir.held, reader


def texts_of(store: Snapshot, rows: Numbers) -> list[str]:
    """Texts of ``rows``, which ascend."""
    pieces = FamilyReader(store, CORPUS, ["text"]).read(rows)
    return [text for piece in pieces for text in piece["text"].to_pylist()]


def labelled_rows(store: Snapshot, label_set: str, shard: int) -> tuple[Numbers, Numbers]:
    """(rows,) tokens, and (rows,) prediction, -1 where labelling failed, of a committed shard of a label set."""
    rows = np.arange(*store.layout.range_of(shard))
    pieces = FamilyReader(store, store.label_set(label_set).path, ["n_tokens", "prediction"]).read(rows)
    tokens = _numbers([piece["n_tokens"] for piece in pieces])
    return tokens, _numbers([piece["prediction"].fill_null(-1) for piece in pieces])


def _numbers(pieces: list[pa.Array]) -> npt.NDArray[np.int64]:
    return np.concatenate([piece.to_numpy() for piece in pieces] or [np.empty(0)]).astype(np.int64)
