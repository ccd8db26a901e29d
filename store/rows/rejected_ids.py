"""The files of refused input rows → the ids that these rows had, and why each was refused."""

from collections.abc import Iterable
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from store.errors import StoreMissingError
from store.format.segments import SegmentRecord
from store.snapshot import Snapshot


class RejectedIds:
    """Ids of rows that are not in a store since they were refused when it was made, or when rows were appended.

    A file that is damaged is passed over: `engine verify` speaks of it.

    Args:
        snapshot: the store.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        tables = [_read(snapshot, segment) for segment in snapshot.header.segments if segment.rejects["rows"]]
        table = pa.concat_tables([_EMPTY, *tables])
        self._table = table.filter(pc.is_valid(table["id"])).combine_chunks()

    def reasons(self, ids: Iterable[str]) -> dict[str, str]:
        """Those of ``ids`` that such rows had, and why the first row of each was refused."""
        wanted = pa.array(sorted({*ids}), pa.string())
        found = self._table.filter(pc.is_in(self._table["id"], value_set=wanted)).to_pylist()
        return {row["id"]: row["reason"] for row in reversed(found)}


_EMPTY = pa.table({"id": pa.array([], pa.string()), "reason": pa.array([], pa.string())})


def _read(snapshot: Snapshot, segment: SegmentRecord) -> pa.Table:
    with suppress(pa.ArrowException, OSError, StoreMissingError):
        table = pa.ipc.open_file(snapshot.storage.read(segment.rejects_file)).read_all()
        return table.select(_EMPTY.column_names).cast(_EMPTY.schema)
    return _EMPTY
