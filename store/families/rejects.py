"""Refused input rows: their schema and checks."""

import pyarrow as pa

from store.families.kind import Cut, FamilyKind
from store.format.findings import Problem, damaged
from store.format.names import REJECTS
from store.format.segments import SegmentRecord
from store.format.shard import check_bytes
from store.storage import Storage

_OLD_COLUMNS = 4


def rejects_schema() -> pa.Schema:
    """Input rows that were refused.

    ``source_row`` counts from 1 inside its file; ``position``, of the fault in the row, in bytes from 0; ``lines`` is
    how many lines of the file the row takes. Stores of older versions do not have the last two.
    """
    return pa.schema(
        [
            pa.field("file", pa.string(), nullable=False),
            pa.field("source_row", pa.int64(), nullable=False),
            pa.field("id", pa.string()),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("position", pa.int64()),
            pa.field("lines", pa.int64()),
        ]
    )


def _is_schema(schema: pa.Schema) -> bool:
    """Whether ``schema`` is that of refused rows, of this version or an older one."""
    now = rejects_schema()
    return schema in (now, pa.schema(list(now)[:_OLD_COLUMNS]))


def check_rejects(storage: Storage, segment: SegmentRecord) -> Problem | None:
    """The problem of the file of refused rows of ``segment``; None if it is whole."""
    said = segment.rejects
    problem = check_bytes(storage, segment.rejects_file, size=said["bytes"], sha256=said["sha256"])
    return problem or damaged(_check_reject_rows(storage, segment))


def _check_reject_rows(storage: Storage, segment: SegmentRecord) -> str:
    rows = segment.rejects["rows"]
    try:
        table = pa.ipc.open_file(storage.read(segment.rejects_file)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        return f"has the bytes that the header says and cannot be read: {error}"
    if not _is_schema(table.schema) or table.num_rows != rows:
        columns = ", ".join(table.column_names)
        return f"holds {table.num_rows:,} rows of {columns}; the header says {rows:,} rows"
    return ""


REJECTS_KIND = FamilyKind(name=REJECTS, schema=lambda _, __: rejects_schema(), cut=Cut.ONE_FILE, is_compressed=True)
