"""A store and the targets of a distillation → the texts whose gold the student learns, as hashes."""

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
    chosen = chosen_rows(store, labels=soft.labels, select=soft.select)
    gold, texts = GoldReader(store, soft.rounds), FamilyReader(store, CORPUS, ["text_hash"])
    found = []
    for shard in range(store.layout.shards):
        rows = np.arange(*store.layout.range_of(shard))
        if chosen is not None:
            rows = rows[chosen.has(rows)]
        if soft.weights is not None:
            rows = rows[soft.weights[rows] > 0]
        (column,) = gold.read(rows)
        has_gold = column["gold"].is_valid().to_numpy(zero_copy_only=False)
        found += [piece["text_hash"] for piece in texts.read(rows[has_gold])]
    return np.concatenate([np.empty(0, np.uint64), *(column.to_numpy() for column in found)])
