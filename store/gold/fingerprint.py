"""Families of a store → fingerprints that change if their labels do; of rows that there were at a time, too."""

import hashlib
from collections.abc import Iterable

from store.errors import StoreMissingError
from store.families.registry import kind_of
from store.snapshot import Snapshot


def fingerprint(snapshot: Snapshot, path: str) -> str:
    """SHA-256 over the hashes in the records of the family at ``path``, in the order of the shards.

    Of rounds, those count that label a row of ``snapshot``: it may be a store as it was before rows were appended.

    Raises:
        StoreMissingError: shards are missing; a family of rounds lacks none.
    """
    family = snapshot.family(path)
    records = family.records()
    if not kind_of(path).is_laid_out:
        hashes = [record.sha256 for record in records.values() if record.first_row < snapshot.layout.rows]
        return _digest(hashes)
    if missing := [shard for shard in range(family.shards) if shard not in records]:
        raise StoreMissingError(family.lacking(missing))
    return _digest(record.sha256 for record in records.values())


def fingerprints(snapshot: Snapshot, paths: Iterable[str]) -> dict[str, str]:
    """The fingerprint of each family, by path.

    Raises:
        StoreMissingError: one of them is not finished.
    """
    return {path: fingerprint(snapshot, path) for path in sorted(set(paths))}


def rows_then(snapshot: Snapshot, path: str, then: str | None) -> int | None:
    """How many rows the store had when the fingerprint of the family at ``path``, one of shards, was ``then``.

    None if it never was, or if what the family held for those rows has changed since.
    """
    records = snapshot.family(path).records()
    digest, shard = hashlib.sha256(), 0
    for segment in snapshot.layout.segments:
        while shard < segment.first_shard + segment.shards:
            if shard not in records:
                return None
            digest.update(records[shard].sha256.encode())
            shard += 1
        if digest.hexdigest() == then:
            return segment.first_row + segment.rows
    return None


def appended_since(snapshot: Snapshot, rows: int) -> str | None:
    """What was appended since the store had ``rows`` rows, as it follows "before"; None if nothing was."""
    last = snapshot.layout.rows - 1
    if last < rows:
        return None
    return f"row {rows:,} was appended" if last == rows else f"rows {rows:,} to {last:,} were appended"


def _digest(hashes: Iterable[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
