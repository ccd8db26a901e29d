"""Which rows are in which shard."""


def shard_range(shard: int, *, rows: int, shards: int) -> tuple[int, int]:
    """First row of a shard and the row after its last: contiguous and equal but for one row.

    The inverse is `shard_of`.
    """
    return shard * rows // shards, (shard + 1) * rows // shards


def shard_of(row: int, *, rows: int, shards: int) -> int:
    """The shard that holds ``row``. The inverse of `shard_range`."""
    return ((row + 1) * shards - 1) // rows
