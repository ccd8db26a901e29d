"""A store and the targets of a distillation → hashes of the texts that the student learns: with gold, or at all."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from engine.training.data.store_steps import SoftLabels
from store import Store
from store.format.names import CORPUS
from store.gold.reader import GoldReader
from store.rows.family_reader import FamilyReader
from store.selections.selection import chosen_rows


def learned_hashes(store: Store, soft: SoftLabels) -> npt.NDArray[np.uint64]:
    """`store.families.text_hash.text_hash` of the texts of the rows whose gold counts; none without a gold weight.

    Raises:
        StoreError: as `engine.training.data.store_steps.SoftSteps`.
    """
    if soft.rounds is None:
        return np.empty(0, np.uint64)
    gold, texts = GoldReader(store, soft.rounds), FamilyReader(store, CORPUS, ["text_hash"])
    found = []
    for rows in _rows_learned(store, soft):
        (column,) = gold.read(rows)
        has_gold = column["gold"].is_valid().to_numpy(zero_copy_only=False)
        found += [piece["text_hash"] for piece in texts.read(rows[has_gold])]
    return np.concatenate([np.empty(0, np.uint64), *(column.to_numpy() for column in found)])


def distilled_texts(store: Store, soft: SoftLabels, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Whether each of ``hashes`` is that of a text whose soft labels the student learns.

    Raises:
        StoreError: as `learned_hashes`.
    """
    return _among(store, _rows_learned(store, soft), hashes)


def has_texts(store: Store, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Whether each of ``hashes`` is that of a text of the store."""
    layout = store.layout
    return _among(store, (np.arange(*layout.range_of(shard)) for shard in range(layout.shards)), hashes)


def _among(
    store: Store, parts: Iterable[npt.NDArray[np.int64]], hashes: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Whether each of ``hashes`` is that of the text of a row; the rows come in ``parts``, by number."""
    texts, found = FamilyReader(store, CORPUS, ["text_hash"]), np.zeros(len(hashes), np.bool_)
    for rows in parts:
        for piece in texts.read(rows):
            found |= np.isin(hashes, piece["text_hash"].to_numpy())
    return found


def _rows_learned(store: Store, soft: SoftLabels) -> Iterator[npt.NDArray[np.int64]]:
    """Of each shard, the numbers of the rows that count."""
    chosen = chosen_rows(store, labels=soft.labels, select=soft.select)
    for shard in range(store.layout.shards):
        rows = np.arange(*store.layout.range_of(shard))
        if chosen is not None:
            rows = rows[chosen.has(rows)]
        yield rows if soft.weights is None else rows[soft.weights[rows] > 0]
