"""Row numbers → the columns of one family, in memory of their own. A stream reads its windows with it.

Several threads may read at once.
"""

import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from store.errors import StoreMissingError
from store.format.record import Record
from store.format.shard import BATCH_ROWS, DamageNamed, open_shard, read_shard
from store.rows.list_bytes import as_bytes
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot

_OPEN_SHARDS = 64
_KEPT_BATCHES = 2048
_FEW_RUNS = 8

ColumnArrays = dict[str, pa.Array]


class FamilyReader:
    """Rows of one family by number, with few shards open at a time.

    Args:
        snapshot: the store.
        path: of the family.
        columns: to read.

    Attributes:
        types: of the columns, by name.
    """

    def __init__(self, snapshot: Snapshot, path: str, columns: list[str]) -> None:
        schema = snapshot.schema(path)
        self.types = {name: schema.field(name).type for name in columns}
        self._family = snapshot.family(path)
        self._is_compressed = self._family.is_compressed
        self._snapshot = snapshot
        self._names = schema.names
        self._stored: dict[int, list[str]] = {}
        self._layout = snapshot.layout
        self._records = self._family.records() if columns else {}
        self._open: dict[int, Any] = {}
        self._batches: dict[tuple[int, int], ColumnArrays] = {}
        self._lock = threading.Lock()

    def read(self, members: RowNumbers) -> list[ColumnArrays]:
        """The columns of ``members``, which ascend, piece by piece; lists as `store.rows.list_bytes` has them.

        Raises:
            StoreMissingError: the shard of one of them is not committed.
            DamageError: a file is not as its record says.
        """
        pieces: list[ColumnArrays] = []
        shards = self._layout.shards_of(members)
        edges = np.flatnonzero(np.diff(shards, prepend=-1)).tolist()
        for begin, end in pairwise([*edges, len(members)]):
            shard = int(shards[begin])
            first, _ = self._layout.range_of(shard)
            pieces += self._read_shard(shard, members[begin:end] - first)
        return pieces

    def _read_shard(self, shard: int, local: RowNumbers) -> list[ColumnArrays]:
        batches = local // BATCH_ROWS
        edges = [0, *(np.flatnonzero(np.diff(batches)) + 1).tolist(), len(local)]
        with DamageNamed(self._family, self._record(shard)):
            pieces: list[ColumnArrays] = []
            for begin, end in pairwise(edges):
                number = int(batches[begin])
                pieces += _rows_of(self._batch(shard, number), local[begin:end] - number * BATCH_ROWS)
            return pieces

    def _batch(self, shard: int, number: int) -> ColumnArrays:
        """The columns of one batch of a shard; kept for the next window if they are mapped and not decompressed."""
        columns = self._batches.get((shard, number))
        if columns is None:
            reader = self._reader(shard)
            with self._lock:
                batch = reader.get_batch(number)
            there = self._columns_of(shard)
            columns = {
                name: _gathered(batch.column(name) if name in there else pa.nulls(batch.num_rows, type_))
                for name, type_ in self.types.items()
            }
            if not self._is_compressed:
                if len(self._batches) >= _KEPT_BATCHES:
                    self._batches.clear()
                self._batches[shard, number] = columns
        return columns

    def _columns_of(self, shard: int) -> list[str]:
        """All columns of the file of ``shard``, in order. Rows that were appended may lack some, and are null there."""
        segment = self._layout.segment_of(shard)
        if segment not in self._stored:
            lacking = self._snapshot.lacking(self._family.path, shard)
            self._stored[segment] = [name for name in self._names if name not in lacking]
        return self._stored[segment]

    def _places(self, shard: int) -> list[int] | None:
        """Places of the columns that are read from the file of ``shard``.

        Arrow copies the columns that it is told to read: right if they are decompressed. The others are mapped.
        """
        if not self._is_compressed:
            return None
        places = [place for place, name in enumerate(self._columns_of(shard)) if name in self.types]
        return places or [0]  # none would mean all

    def _record(self, shard: int) -> Record:
        if shard not in self._records:
            missing = [number for number in range(self._family.shards) if number not in self._records]
            raise StoreMissingError(self._family.lacking(missing))
        return self._records[shard]

    def _reader(self, shard: int) -> Any:
        with self._lock:
            if shard not in self._open:
                if len(self._open) >= _OPEN_SHARDS:
                    self._open.clear()
                self._open[shard] = open_shard(self._family, self._records[shard], columns=self._places(shard))
            return self._open[shard]


def _gathered(column: pa.Array) -> pa.Array:
    """``column`` in the form in which rows of it are gathered: lists as byte strings, texts with long offsets.

    Texts of a window may have more than 2 GiB together.
    """
    if pa.types.is_list(column.type):
        return as_bytes(column)
    return column.cast(pa.large_string()) if pa.types.is_string(column.type) else column


def _rows_of(columns: ColumnArrays, rows: RowNumbers) -> list[ColumnArrays]:
    """``rows``, which ascend, of ``columns``; those that stand side by side, as in a block, without a copy."""
    edges = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
    if len(edges) * _FEW_RUNS > len(rows):
        indices = pa.array(rows)
        return [{name: column.take(indices) for name, column in columns.items()}]
    starts = rows[edges[:-1]].tolist()
    return [
        {name: column.slice(start, stop - begin) for name, column in columns.items()}
        for start, (begin, stop) in zip(starts, pairwise(edges), strict=True)
    ]


def failed_rows(snapshot: Snapshot, labels: str) -> RowNumbers:
    """Row numbers whose labelling failed, ascending. Reads only shards whose record counts failures."""
    family = snapshot.label_set(labels)
    failed = [np.empty(0, np.int64)]
    for record in family.records().values():
        if not record.statistics.get("failed"):
            continue
        column = read_shard(family, record).column("failure")
        failed.append(record.first_row + np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)))
    return np.concatenate(failed)
