"""Labels by row number → one more round of gold, committed like everything else: whole, once, or not at all.

The number of a round is the next one that is free. Of writers who want the same one, one is first; the others take the
next. The same labels from the same sources are never a second round.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from store.errors import DamageError, MismatchError, StoreError
from store.families.gold import gold_schema, gold_statistics
from store.format.names import CORPUS, GOLD
from store.format.record import Record
from store.format.shard import BATCH_ROWS, ShardWriter, check_bytes, rebatch, write_shard
from store.gold.held import OWN, ROUND_REMEDY
from store.gold.reader import GoldReader
from store.rows.family_reader import FamilyReader
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot

_TRIES = 1000
_AT_ONCE = 64 * BATCH_ROWS


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labels of some rows.

    Attributes:
        rows: (n,) int64, ascending, each once.
        labels: (n,) int16, indices of classes.
        sources: (n,) where each label is from.
    """

    rows: RowNumbers
    labels: npt.NDArray[np.int16]
    sources: list[str]

    def table(self, number: int) -> pa.Table:
        """The rows of the round ``number``."""
        rounds = np.full(len(self.rows), number, np.int32)
        return pa.table([pa.array(self.rows), self.labels, self.sources, rounds], schema=gold_schema())


def add_round(snapshot: Snapshot, labelled: Labelled) -> tuple[int, bool]:
    """Commit ``labelled``, of at least one row, as a round; its number, and whether it is new.

    Where the same labels are a round already, that one's number; a file of it that is damaged is written again.

    Raises:
        DamageError: the family is damaged.
    """
    family = snapshot.family(GOLD)
    content = gold_statistics(labelled.table(OWN))["content"]
    taken = OWN
    for _ in range(_TRIES):
        records = family.records()
        same = next((record for record in records.values() if record.statistics.get("content") == content), None)
        if same is not None:
            _write_again(snapshot, same, labelled)
            return same.shard, False
        number = max(taken, *records, OWN) + 1
        table = labelled.table(number)
        first_row, statistics = int(labelled.rows[0]), gold_statistics(table)
        try:
            is_new = write_shard(family, number, first_row, [table], schema=table.schema, statistics=statistics)
        except MismatchError:
            taken = number  # another writer was first
        else:
            return number, is_new
    raise StoreError(f"{family.location}: other writers took {_TRIES:,} rounds one after the other; try again")


def _write_again(snapshot: Snapshot, record: Record, labelled: Labelled) -> None:
    """Write the file of a committed round again, if it is damaged."""
    problem = check_bytes(snapshot.storage, f"{GOLD}/{record.file}", size=record.bytes, sha256=record.sha256)
    if problem is None:
        return
    with ShardWriter(snapshot.storage, gold_schema(), compressed=False) as writer:
        for batch in rebatch([labelled.table(record.shard)], gold_schema()):
            writer.write(batch)
        if writer.finish() != record.sha256:
            raise DamageError(
                f"{snapshot.location}/{GOLD}/{record.file} {problem.text}, and the same labels give other bytes now; "
                f"{ROUND_REMEDY}"
            )
        writer.publish(GOLD, record.shard)


def rows_of_ids(snapshot: Snapshot, ids: set[str]) -> dict[str, int]:
    """Row numbers of those of ``ids`` that the store has. Reads no more than the ids of one batch at a time.

    Raises:
        StoreMissingError: the corpus is not finished.
        DamageError: a file of the corpus is damaged.
    """
    snapshot.corpus.check_complete()
    wanted = pa.array(sorted(ids), pa.large_string())
    reader = FamilyReader(snapshot, CORPUS, ["row", "id"])
    found: dict[str, int] = {}
    for start in range(0, snapshot.layout.rows, _AT_ONCE):
        members = np.arange(start, min(start + _AT_ONCE, snapshot.layout.rows))
        for piece in reader.read(members):
            is_wanted = pc.is_in(piece["id"], value_set=wanted)
            names, rows = piece["id"].filter(is_wanted), piece["row"].filter(is_wanted)
            found |= dict(zip(names.to_pylist(), rows.to_pylist(), strict=True))
    return found


def first_id(snapshot: Snapshot) -> str:
    """The id of the first row.

    Raises:
        StoreMissingError: the corpus is not finished.
        DamageError: a file of the corpus is damaged.
    """
    (piece,) = FamilyReader(snapshot, CORPUS, ["id"]).read(np.arange(1))
    return str(piece["id"][0])


def gold_before(snapshot: Snapshot, rows: RowNumbers, number: int) -> npt.NDArray[np.int16]:
    """(n,) the gold labels that ``rows``, which ascend, had before the round ``number``; -1 for none."""
    before = [OWN, *(other for other in snapshot.family(GOLD).records() if other < number)]
    (piece,) = GoldReader(snapshot, before).read(rows)
    labels: npt.NDArray[np.int16] = piece["gold"].fill_null(-1).to_numpy()
    return labels
