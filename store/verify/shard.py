"""One data file against its record, the header and its neighbours: its problem, or None."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.errors import DamageError, StoreError
from store.families.label_card import LabelCard
from store.families.registry import kind_of, shard_statistics
from store.format.family import Family
from store.format.findings import Problem, damaged
from store.format.record import Record
from store.format.shard import check_bytes, read_shard
from store.snapshot import Snapshot


def check_shard(snapshot: Snapshot, family: Family, record: Record) -> Problem | None:
    """The problem of a committed data file; None if it is whole.

    Its size and hash come first, so that Arrow reads only what its writer wrote; then columns, row numbers, statistics
    and the check of its kind.
    """
    problem = check_bytes(snapshot.storage, f"{family.path}/{record.file}", size=record.bytes, sha256=record.sha256)
    return problem or damaged(_check_rows(snapshot, family, record))


def check_alignment(snapshot: Snapshot, labels: Family, record: Record, card: LabelCard) -> Problem | None:
    """The problem of a label shard that saw other tokens than those that are kept; None if it saw them, or none are."""
    encoding = card.encoding
    if encoding is None or encoding not in snapshot.encodings():
        return None
    family = snapshot.tokens(encoding)
    try:
        kept = family.record(record.shard)
        if kept is None:
            return None
        tokens = read_shard(family, kept, check_hash=True)
        tokens.validate(full=True)
    except (DamageError, pa.ArrowException, OSError):
        return None  # the check of the tokens says so
    seen = read_shard(labels, record)
    lengths = pc.list_value_length(tokens.column("input_ids")).to_numpy()
    same = np.array_equal(lengths, seen.column("n_tokens").to_numpy())
    if not same or not tokens.column("truncated").equals(seen.column("truncated")):
        return damaged(f"its rows have other numbers of tokens than {family.path}/{kept.file}")
    return None


def _check_rows(snapshot: Snapshot, family: Family, record: Record) -> str:
    try:
        schema = snapshot.stored_schema(family.path, record.shard)
    except StoreError:
        return ""  # the card is damaged, and said to be
    try:
        table = read_shard(family, record)
        table.validate(full=True)
    except (DamageError, pa.ArrowException) as error:
        return f"has the bytes of its record and cannot be read: {error}"
    if not table.schema.equals(schema):
        return f"has the columns {', '.join(table.column_names)}, with other names or types than the format's"
    first, stop = snapshot.layout.range_of(record.shard)
    if not np.array_equal(table.column("row").to_numpy(), np.arange(first, stop)):
        return f"its row numbers are not {first} to {stop - 1}"
    if shard_statistics(family.path, table) != record.statistics:
        return "its record's statistics are not those of its rows"
    return kind_of(family.path).check_rows(table)
