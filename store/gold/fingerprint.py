"""Families of a store → fingerprints that change if their labels do."""

import hashlib
from collections.abc import Iterable, Mapping

from store.errors import StoreMissingError
from store.families.registry import kind_of
from store.format.record import Record
from store.snapshot import Snapshot


def fingerprint(snapshot: Snapshot, path: str) -> str:
    """SHA-256 over the hashes in the records of the family at ``path``, in the order of the shards.

    Raises:
        StoreMissingError: shards are missing; a family of rounds lacks none.
    """
    family = snapshot.family(path)
    records = family.records()
    missing = [shard for shard in range(family.shards) if shard not in records]
    if missing and kind_of(path).is_laid_out:
        raise StoreMissingError(family.lacking(missing))
    return records_fingerprint(records)


def records_fingerprint(records: Mapping[int, Record]) -> str:
    """The fingerprint of a family that has ``records``, by shard, in order."""
    return hashlib.sha256("".join(record.sha256 for record in records.values()).encode()).hexdigest()


def fingerprints(snapshot: Snapshot, paths: Iterable[str]) -> dict[str, str]:
    """The fingerprint of each family, by path.

    Raises:
        StoreMissingError: one of them is not finished.
    """
    return {path: fingerprint(snapshot, path) for path in sorted(set(paths))}
