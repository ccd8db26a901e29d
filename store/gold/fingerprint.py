"""Families of a store → fingerprints that change if their labels do."""

import hashlib
from collections.abc import Iterable

from store.errors import StoreMissingError
from store.format.names import GOLD
from store.snapshot import Snapshot


def fingerprint(snapshot: Snapshot, path: str) -> str:
    """SHA-256 over what is committed in the family at ``path``: the hashes in its records, in the order of the shards.

    Raises:
        StoreMissingError: shards are missing; of ``gold`` any may be.
    """
    family = snapshot.family(path)
    records = family.records()
    missing = [shard for shard in range(family.shards) if shard not in records]
    if missing and path != GOLD:
        raise StoreMissingError(
            f"{family.location} lacks {len(missing)} of {family.shards} shards (the first is {missing[0]}); run its "
            "label command again to finish it"
        )
    return hashlib.sha256("".join(record.sha256 for record in records.values()).encode()).hexdigest()


def fingerprints(snapshot: Snapshot, paths: Iterable[str]) -> dict[str, str]:
    """The fingerprint of each family, by path.

    Raises:
        StoreMissingError: one of them is not finished.
    """
    return {path: fingerprint(snapshot, path) for path in sorted(set(paths))}
