"""The gold of a store → texts and class indices in memory, for fine-tuning."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.inputs.labels.labelled import Gold, sampled
from engine.models.notes.columns_read import columns_of_store
from store.format.names import CORPUS
from store.gold.held import way_to_gold
from store.gold.reader import GoldReader
from store.rows.family_reader import FamilyReader
from store.storage import Storage
from store.store import open_store


@dataclass(frozen=True, kw_only=True)
class StoredGold:
    """Which labels are learned from.

    Attributes:
        store: its location, or a `Storage`.
        rounds: of gold, 0 being the corpus's own; all that there are if None. A row's latest label among them holds.
        limit: use this many rows, chosen at random by ``seed``; all if None.
        seed: of the choice.
    """

    store: str | Storage
    rounds: tuple[int, ...] | None = None
    limit: int | None = None
    seed: int = 0

    def read(self) -> Gold:
        """The rows with gold, by row number.

        Raises:
            InputError: there is none.
            StoreError: the store, or a round of it, is missing or damaged.
        """
        store = open_store(self.store)
        labels, texts = GoldReader(store, self.rounds), FamilyReader(store, CORPUS, ["text"])
        found: list[npt.NDArray[np.int64]] = []
        read: list[str] = []
        for shard in range(store.layout.shards):
            members = np.arange(*store.layout.range_of(shard))
            (column,) = labels.read(members)
            has_gold = column["gold"].is_valid().to_numpy(zero_copy_only=False)
            found.append(column["gold"].drop_null().to_numpy().astype(np.int64))
            read += [text for piece in texts.read(members[has_gold]) for text in piece["text"].to_pylist()]
        if not read:
            where = "" if self.rounds is None else f" in the rounds {', '.join(map(str, self.rounds))}"
            raise InputError(f"{store.location} has no gold{where}; {way_to_gold(store.location)}")
        gold = Gold(
            texts=read,
            labels=np.concatenate(found),
            classes=list(store.header.classes),
            read_from=columns_of_store(store, store.label_sets()),
        )
        return gold if self.limit is None else sampled(gold, self.limit, self.seed)
