"""Families of a store → tables that DuckDB scans. Nothing is read before a query asks for it, and no other column.

Families hold the same rows in the same order, so that several of them are one table side by side, without a join.
Files are read in pieces of bounded size, a few of them ahead of the query. pyarrow's own scanner of a data set takes
five times as long for many small files and three times for few large ones (`benchmarks.store.scale`).
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from store.errors import DamageError
from store.format.family import Family
from store.format.names import CORPUS, GOLD
from store.format.record import Record
from store.format.shard import BATCH_ROWS, REMEDY, DamageNamed, open_shard
from store.gold.held import HeldGold
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot
from store.sql.lazy_table import Failure, side_by_side
from store.sql.read_plan import Slice, plan_pieces

_READERS = min(4, os.cpu_count() or 1)


class FamilyRows:
    """The rows of the shards that are committed in every one of some families, side by side.

    Args:
        snapshot: the store.
        sides: the schema that is shown of each family, by its path. A column that several have is the first one's.
        records: the committed ones of each family.
        failure: receives the first error of reading, because DuckDB replaces exceptions raised in a scan.
        gold: gives the gold that holds, if `store.gold.held.GOLD_COLUMNS` are a side, at the path ``gold``; the
            corpus is another one then.

    Raises:
        DamageError: two families have different rows in one shard.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        sides: Mapping[str, pa.Schema],
        *,
        records: Mapping[str, Mapping[int, Record]],
        failure: Failure,
        gold: Callable[[], HeldGold] | None = None,
    ) -> None:
        self.failure = failure
        self._snapshot = snapshot
        self._families = {path: snapshot.family(path) for path in records}
        self._schemas = sides
        self._side_of = {field.name: path for field, path in side_by_side(sides)}
        self._records = records
        self._gold = gold
        self._held: HeldGold | None = None
        first, *others = records.values()
        self._rows = {shard: record.rows for shard, record in first.items() if all(shard in other for other in others)}
        for shard in self._rows if others else ():
            if len({(records[path][shard].first_row, records[path][shard].rows) for path in records}) > 1:
                raise DamageError(f"{snapshot.location}: {' and '.join(records)} have different rows in shard {shard}")

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None) -> "_Scan":  # noqa: A002 - Arrow's word
        """The rows of ``filter``, an Arrow expression, with ``columns``; all if None."""
        return _Scan(self, list(self._side_of) if columns is None else columns, filter)

    def shown(self, names: Iterable[str]) -> pa.Schema:
        """The schema of the columns ``names``."""
        return pa.schema([self._schemas[self._side_of[name]].field(name) for name in names])

    def used_by(self, expression: Any) -> list[str]:
        """Columns that ``expression`` may use: Arrow does not say which, but writes their names."""
        text = "" if expression is None else str(expression)
        return [name for name in self._side_of if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]

    def hold_gold(self, names: Iterable[str]) -> None:
        """Read the rounds of gold, once, if one of the columns ``names`` shows them."""
        if self._gold is not None and self._held is None and GOLD in (self._side_of[name] for name in names):
            self._held = self._gold()

    def pieces(self, names: Iterable[str]) -> Iterator[list[Slice]]:
        """The slices that are read at once, for the columns ``names``."""
        sides = {self._side_of[name] for name in names}
        used = [self._records[path] for path in {CORPUS if path == GOLD else path for path in sides}]
        return plan_pieces(self._rows, {shard: sum(records[shard].bytes for records in used) for shard in self._rows})

    def read(self, piece: Sequence[Slice], names: Sequence[str]) -> pa.Table:
        """The columns ``names`` of ``piece``, of the types that they have in their files.

        Raises:
            DamageError: a file is missing or not what its record says.
        """
        columns: dict[str, pa.ChunkedArray] = {}
        gold = [name for name in names if self._side_of[name] == GOLD]
        stored = dict.fromkeys([*names, *(["label"] if gold else [])])
        for path, family in self._families.items():
            if ours := [name for name in stored if self._side_of[name] == path]:
                batches = [batch for part in piece for batch in self._read(family, part, ours)]
                columns |= {name: pa.chunked_array([batch.column(name) for batch in batches]) for name in ours}
        if gold:
            assert self._held is not None, "held before the first piece is read"
            own, numbers = pa.concat_arrays(columns["label"].chunks), self._numbers(piece)
            columns |= {name: self._held.column(name, numbers, own) for name in gold}
        return pa.table([columns[name] for name in names], names=list(names))

    def _read(self, family: Family, part: Slice, names: Sequence[str]) -> list[pa.RecordBatch]:
        """The columns ``names`` of some batches of one shard; null where its file does not have one."""
        schema, lacking = self._schemas[family.path], self._snapshot.lacking(family.path, part.shard)
        there = [name for name in schema.names if name not in lacking]
        indices = [there.index(name) for name in names if name in there] or [0]  # none would mean all
        batches = _read(family, self._records[family.path][part.shard], part, indices)
        if lacking.isdisjoint(names):
            return batches
        fields = [schema.field(name) for name in names]
        return [
            pa.record_batch(
                [batch.column(one.name) if one.name in there else pa.nulls(len(batch), one.type) for one in fields],
                schema=pa.schema(fields),
            )
            for batch in batches
        ]

    def _numbers(self, piece: Sequence[Slice]) -> RowNumbers:
        """Row numbers of ``piece``: the shards come in order."""
        records = next(iter(self._records.values()))
        starts = [records[part.shard].first_row + part.first * BATCH_ROWS for part in piece]
        return np.concatenate([np.arange(start, start + part.rows) for start, part in zip(starts, piece, strict=True)])


def _read(family: Family, record: Record, part: Slice, indices: list[int]) -> list[pa.RecordBatch]:
    """The columns at ``indices`` of some batches of one shard."""
    reader = open_shard(family, record, columns=indices, threads=False)
    if reader.num_record_batches != -(-record.rows // BATCH_ROWS):
        place = f"{family.location}/{record.file}"
        raise DamageError(f"{place} does not have the {record.rows:,} rows that its record says; {REMEDY}")
    with DamageNamed(family, record):
        return [reader.get_batch(number) for number in range(part.first, part.stop)]


class _Scan:
    """Some columns and rows of a `FamilyRows`; to DuckDB it looks like a scanner of Arrow."""

    def __init__(self, table: FamilyRows, columns: Sequence[str], expression: Any) -> None:
        self._table = table
        self._expression = expression
        self._schema = table.shown(columns)
        self._names = list(dict.fromkeys([*columns, *table.used_by(expression)]))
        table.hold_gold(self._names)

    def to_reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Piece by piece, in order. A single piece is read at once: a thread would take longer to start."""
        pieces = self._table.pieces(self._names)
        first = list(islice(pieces, 2))
        with self._table.failure.kept():
            if len(first) == 1:
                yield from self._read(first[0])
            else:
                yield from self._ahead(chain(first, pieces))

    def _ahead(self, pieces: Iterable[list[Slice]]) -> Iterator[pa.RecordBatch]:
        """The batches of ``pieces``, in order, while threads read the next ones."""
        ahead = deque[Future[list[pa.RecordBatch]]]()
        with ThreadPoolExecutor(_READERS) as pool:
            try:
                for piece in pieces:
                    ahead.append(pool.submit(self._read, piece))
                    if len(ahead) > _READERS:
                        yield from ahead.popleft().result()
                while ahead:
                    yield from ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def _read(self, piece: list[Slice]) -> list[pa.RecordBatch]:
        """One batch, of the types that are shown: DuckDB is slow with many small ones."""
        rows = self._table.read(piece, self._names)
        if self._expression is not None:
            rows = rows.filter(self._expression)
        batches: list[pa.RecordBatch] = rows.select(self._schema.names).cast(self._schema).combine_chunks().to_batches()
        return batches
