"""Row numbers → the gold label that holds for each: the column ``gold`` of a stream."""

from collections.abc import Sequence

import pyarrow as pa

from store.format.names import CORPUS
from store.gold.held import GOLD_COLUMNS, held_gold
from store.rows.family_reader import ColumnArrays, FamilyReader
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot


class GoldReader:
    """As `store.rows.family_reader.FamilyReader`, for the one column ``gold``.

    Args:
        snapshot: the store.
        rounds: those that count, 0 being the corpus's own; all that there are now if None.

    Attributes:
        types: of the column, by name.
    """

    def __init__(self, snapshot: Snapshot, rounds: Sequence[int] | None = None) -> None:
        self.types = {"gold": GOLD_COLUMNS.field("gold").type}
        self._held = held_gold(snapshot, rounds)
        self._own = FamilyReader(snapshot, CORPUS, ["label"])

    def read(self, members: RowNumbers) -> list[ColumnArrays]:
        """The gold labels of ``members``, which ascend; null for a row without one.

        Raises:
            StoreMissingError: the shard of one of them is not committed.
            DamageError: a file is not as its record says.
        """
        labels = [piece["label"] for piece in self._own.read(members)]
        own = pa.concat_arrays(labels) if labels else pa.nulls(0, pa.int16())
        return [{"gold": self._held.column("gold", members, own)}]
