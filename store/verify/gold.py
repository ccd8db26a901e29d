"""The rounds of gold of a store → everything that is wrong with them; and a record → made from its data file again."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from store.errors import DamageError
from store.families.gold import gold_schema, gold_statistics
from store.format.decode import decoded
from store.format.family import Family
from store.format.findings import Finding, Kind
from store.format.json_file import read_small
from store.format.names import GOLD
from store.format.record import Record, record_name, record_of, shard_of_data
from store.format.shard import check_bytes, read_shard
from store.gold.held import ROUND_REMEDY
from store.snapshot import Snapshot
from store.verify.family import Check


def check_gold(snapshot: Snapshot, before: Check) -> Iterator[Finding]:
    """Everything that is wrong with the rounds: records, gaps between them, data files and litter.

    Args:
        snapshot: the store.
        before: told of each data file before it is read; False passes over it.
    """
    names = snapshot.storage.list(GOLD)
    known: set[str] = set()
    numbers: list[int] = []
    for name in names:
        if (found := record_of(name)) is not None:
            numbers.append(found[0])
            known.add(name)
            record, kind, problem = _read_record(snapshot, name)
            if record is None:
                yield _found(kind, name, problem, found[0])
            else:
                known.add(record.file)
                yield from _check_data(snapshot, record, before, is_there=record.file in names)
    yield from _find_gaps(numbers)
    for name in names:
        if name not in known and not _may_be_lost(name, numbers):
            yield _found(Kind.LITTER, name, "no record of a round names it")


def _check_data(snapshot: Snapshot, record: Record, before: Check, *, is_there: bool) -> Iterator[Finding]:
    if before(f"{GOLD}/{record.file}") and (problem := check_round(snapshot, snapshot.family(GOLD), record)):
        kind = Kind.DAMAGED if is_there else Kind.MISSING
        yield _found(kind, record.file, f"{problem}; {ROUND_REMEDY}", record.shard)


def _find_gaps(numbers: list[int]) -> Iterator[Finding]:
    """A round is made only if those before it are there."""
    last = max(numbers, default=0)
    for number in sorted(set(range(1, last)) - set(numbers)):
        problem = f"is missing, and round {last} is there; {ROUND_REMEDY}"
        yield _found(Kind.MISSING, record_name(number), problem, number)


def _may_be_lost(name: str, numbers: list[int]) -> bool:
    """Whether ``name`` is the data of a round whose record is lost: it is said of that record."""
    number = shard_of_data(name)
    return number is not None and number not in numbers and number < max(numbers, default=0)


def _found(kind: Kind, name: str, problem: str, number: int | None = None) -> Finding:
    return Finding(kind=kind, family=GOLD, shard=number, file=f"{GOLD}/{name}", problem=problem)


def _read_record(snapshot: Snapshot, name: str) -> tuple[Record | None, Kind, str]:
    """The record called ``name``; or None, and the kind of the finding and its problem."""
    number, generation = record_of(name) or (0, 0)
    value, problem = read_small(snapshot.storage, f"{GOLD}/{name}")
    if value is None:
        kind = Kind.UNFINISHED if problem == "is cut short" else Kind.DAMAGED
        return None, kind, problem
    try:
        record = decoded(Record, value)
    except ValueError as error:
        return None, Kind.DAMAGED, f"is not a record: {error}"
    if record.shard != number or number == 0 or generation:
        return None, Kind.DAMAGED, f"is the record of round {record.shard}, and a round has one record and no other"
    return record, Kind.DAMAGED, ""


def check_round(snapshot: Snapshot, family: Family, record: Record) -> str:
    """The problem of the data file of a round; empty if it is whole."""
    problem = check_bytes(snapshot.storage, f"{family.path}/{record.file}", size=record.bytes, sha256=record.sha256)
    if problem is not None:
        return problem.text
    try:
        table = read_shard(family, record)
        table.validate(full=True)
    except (DamageError, pa.ArrowException) as error:
        return f"has the bytes of its record and cannot be read: {error}"
    if not table.schema.equals(gold_schema()):
        return f"has the columns {', '.join(table.column_names)}, with other names or types than the format's"
    return _check_rows(snapshot, record, table)


def _check_rows(snapshot: Snapshot, record: Record, table: pa.Table) -> str:
    rows, labels = table.column("row").to_numpy(), table.column("label").to_numpy()
    if (len(rows), rows[0] if len(rows) else None) != (record.rows, record.first_row):
        return f"holds {len(rows):,} rows, and its record says {record.rows:,} from row {record.first_row}"
    if (np.diff(rows) <= 0).any():
        return "its rows do not ascend: one may be there twice"
    if rows[0] < 0 or rows[-1] >= snapshot.layout.rows:
        return f"labels rows up to {rows[-1]}, and the store has {snapshot.layout.rows:,}"
    if labels.min() < 0 or labels.max() >= (classes := len(snapshot.header.classes)):
        return f"has labels from {labels.min()} to {labels.max()}, and the store has {classes} classes"
    if set(table.column("round").to_pylist()) != {record.shard}:
        return f"its rows are not those of round {record.shard}"
    return "" if gold_statistics(table) == record.statistics else "its record's statistics are not those of its rows"


def round_of_data(snapshot: Snapshot, family: Family, number: int) -> Record | None:
    """A record made from the one data file of round ``number`` that is whole; None if no file or several are."""
    made = []
    for name in snapshot.storage.list(family.path):
        if shard_of_data(name) != number:
            continue
        data = snapshot.storage.read(f"{family.path}/{name}")
        try:
            table = pa.ipc.open_file(data).read_all()
            record = Record(
                shard=number,
                first_row=table.column("row")[0].as_py(),
                rows=table.num_rows,
                file=name,
                bytes=data.size,
                sha256=hashlib.sha256(data).hexdigest(),
                statistics=gold_statistics(table),
            )
        except (TypeError, KeyError, IndexError, ValueError, AttributeError, OSError, pa.ArrowException):
            continue  # a file of another kind, whoever put it there
        if not check_round(snapshot, family, record):
            made.append(record)
    return made[0] if len(made) == 1 else None
