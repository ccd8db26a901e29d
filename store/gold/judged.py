"""A label set and the gold that holds → the rows that have both: by these the audit's questions judge labels."""

import numpy as np
import pyarrow as pa

from store.format.names import CORPUS
from store.gold.held import HeldGold
from store.rows.family_reader import FamilyReader, failed_rows
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot


def judged_rows(snapshot: Snapshot, held: HeldGold, labels: str) -> RowNumbers:
    """Row numbers that have gold and a label of the label set ``labels``, ascending.

    Raises:
        DamageError: a file is not as its record says.
    """
    rows = labelled_rows(snapshot, labels)
    if not held.own:
        both: RowNumbers = np.intersect1d(held.rows, rows, assume_unique=True)
        return both
    has_gold = held.column("gold", rows, own_labels(snapshot, rows)).is_valid()
    judged: RowNumbers = rows[has_gold.to_numpy(zero_copy_only=False)]
    return judged


def labelled_rows(snapshot: Snapshot, labels: str) -> RowNumbers:
    """Row numbers of which the label set ``labels`` has labels, ascending: committed ones, without those that failed.

    Raises:
        DamageError: a file is not as its record says.
    """
    there = snapshot.corpus.records()
    shards = [shard for shard in snapshot.label_set(labels).records() if shard in there]
    rows = np.concatenate([np.empty(0, np.int64), *(np.arange(*snapshot.layout.range_of(one)) for one in shards)])
    return rows[~np.isin(rows, failed_rows(snapshot, labels))]


def own_labels(snapshot: Snapshot, rows: RowNumbers) -> pa.Array:
    """(n,) int16 the labels that the corpus itself has for ``rows``, which ascend.

    Raises:
        StoreMissingError: the shard of one of them is not committed.
        DamageError: a file is not as its record says.
    """
    pieces = FamilyReader(snapshot, CORPUS, ["label"]).read(rows)
    return pa.concat_arrays([piece["label"] for piece in pieces]) if pieces else pa.nulls(0, pa.int16())
