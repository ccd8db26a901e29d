"""One data file against its record, the header and its neighbours: what is wrong with it; None where nothing is."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.errors import DamageError, StoreError
from store.families.kind import shard_statistics
from store.families.label_card import LabelCard
from store.families.labels import derive
from store.format.family import Family
from store.format.findings import Problem, damaged
from store.format.names import LABELS
from store.format.record import Record
from store.format.shard import check_bytes, one_batch, read_shard
from store.snapshot import Snapshot

_TOLERANCE = 1e-5  # another machine's exp differs in the last bits


def check_shard(snapshot: Snapshot, family: Family, record: Record) -> Problem | None:
    """What is wrong with a committed data file.

    Its size and hash come first, so that Arrow reads only what its writer wrote; then columns, row numbers, statistics
    and, of labels, what is derived from the logits.
    """
    problem = check_bytes(snapshot.storage, f"{family.path}/{record.file}", size=record.bytes, sha256=record.sha256)
    return problem or damaged(_check_rows(snapshot, family, record))


def check_alignment(snapshot: Snapshot, labels: Family, record: Record, card: LabelCard) -> Problem | None:
    """Check that a label shard saw the tokens that are kept, if any are."""
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
        return None  # said where the tokens are checked
    seen = read_shard(labels, record)
    lengths = pc.list_value_length(tokens.column("input_ids")).to_numpy()
    same = np.array_equal(lengths, seen.column("n_tokens").to_numpy())
    if not same or not tokens.column("truncated").equals(seen.column("truncated")):
        return damaged(f"its rows have other numbers of tokens than {family.path}/{kept.file}")
    return None


def _check_rows(snapshot: Snapshot, family: Family, record: Record) -> str:
    try:
        schema = snapshot.schema(family.path)
    except StoreError:
        return ""  # the card is damaged, and said to be
    try:
        table = read_shard(family, record)
        table.validate(full=True)
    except (DamageError, pa.ArrowException) as error:
        return f"has the bytes of its record and cannot be read: {error}"
    if not table.schema.equals(schema):
        return f"has the columns {', '.join(table.column_names)}, with other names or types than the format's"
    first, stop = snapshot.shard_range(record.shard)
    if not np.array_equal(table.column("row").to_numpy(), np.arange(first, stop)):
        return f"its row numbers are not {first} to {stop - 1}"
    if shard_statistics(family.path, table) != record.statistics:
        return "its record's statistics are not those of its rows"
    return _check_derived(one_batch(table)) if family.path.startswith(f"{LABELS}/") else ""


def _check_derived(rows: pa.RecordBatch) -> str:
    """Whether the derived columns follow from the stored logits, and a failed row has a reason and nothing else."""
    failed = rows.column("failure").is_valid()
    for name in ("logits", "prediction", "confidence", "margin", "entropy"):
        if not rows.column(name).is_null().equals(failed):
            return f"{name} is null in other rows than those that have a failure"
    kept = rows.filter(pc.invert(failed))
    classes = kept.schema.field("logits").type.list_size
    logits = kept.column("logits").flatten().to_numpy(zero_copy_only=False).reshape(-1, classes)
    if not np.isfinite(logits).all():
        return "has logits that are not finite"
    if len(logits) == 0:
        return ""
    derived = derive(logits)
    if not np.array_equal(derived.prediction, kept.column("prediction").to_numpy()):
        return "its predictions do not follow from its logits"
    for name in ("confidence", "margin", "entropy"):
        if not np.allclose(getattr(derived, name), kept.column(name).to_numpy(), rtol=0, atol=_TOLERANCE):
            return f"its {name} does not follow from its logits"
    return ""
