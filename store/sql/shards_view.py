"""Records of a store → the table ``shards``, column by column: only those that a query asks for are made."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads

from store.families.registry import kind_of
from store.format.family import Family
from store.format.record import Record
from store.format.run_log import shard_seconds
from store.snapshot import Snapshot

SHARDS = pa.schema(
    [
        ("family", pa.string()),
        ("name", pa.string()),
        ("shard", pa.int64()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("seconds", pa.float64()),
        ("statistics", pa.string()),
        ("computed", pa.string()),
    ]
)


class ShardTable:
    """One row a committed shard.

    Args:
        snapshot: the store.
        records: gives the committed records of the family at a path.
    """

    def __init__(self, snapshot: Snapshot, records: Callable[[str], dict[int, Record]]) -> None:
        self._snapshot = snapshot
        self._families = [(family, records(family.path)) for family in snapshot.families()]

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None) -> Any:  # noqa: A002 - Arrow's word
        """The rows of ``filter``, an Arrow expression, with ``columns``; all if None."""
        used = [name for name in SHARDS.names if columns is None or name in columns or name in str(filter)]
        table = pa.table([self._column(name) for name in used], schema=pa.schema([SHARDS.field(name) for name in used]))
        return pads.dataset(table).scanner(columns=columns, filter=filter)

    def _column(self, name: str) -> pa.ChunkedArray:
        values = self._values(name)
        type_ = SHARDS.field(name).type
        return pa.chunked_array([pa.array(part, type_) for part in values], type_)

    def _values(self, name: str) -> Iterable[list[Any]]:
        seconds = shard_seconds(self._snapshot.storage) if name == "seconds" else {}
        for family, records in self._families:
            same = {"family": kind_of(family.path).name, "name": family.name}.get(name)
            if same is not None:
                yield [same] * len(records)
            else:
                yield [_value(name, family, record, seconds) for record in records.values()]


def _value(name: str, family: Family, record: Record, seconds: dict[tuple[str, int], float]) -> Any:
    if name == "seconds":
        return seconds.get((family.path, record.shard))
    value = getattr(record, name)
    return json.dumps(value) if isinstance(value, dict) else value
