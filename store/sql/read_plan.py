"""Shards of any size → pieces of bounded size, to be read at once. Pure: knows numbers, and no files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from store.format.shard import BATCH_ROWS

PIECE_ROWS = 64 * BATCH_ROWS
PIECE_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some batches of one shard.

    Attributes:
        shard: its number.
        first: its first batch.
        stop: the batch after its last.
        rows: how many are in them.
        bytes: about their size in their files.
    """

    shard: int
    first: int
    stop: int
    rows: int
    bytes: int


def plan_pieces(rows: Mapping[int, int], sizes: Mapping[int, int]) -> Iterator[list[Slice]]:
    """Pieces of at most `PIECE_ROWS` rows and, but where one batch is more, about `PIECE_BYTES`. Every batch once.

    Args:
        rows: of each shard, in the order in which they are to come.
        sizes: bytes of each shard.
    """
    piece, held_rows, held_bytes = list[Slice](), 0, 0
    for shard, count in rows.items():
        for part in _cut(shard, count, sizes[shard]):
            if piece and (held_rows + part.rows > PIECE_ROWS or held_bytes + part.bytes > PIECE_BYTES):
                yield piece
                piece, held_rows, held_bytes = [], 0, 0
            piece.append(part)
            held_rows, held_bytes = held_rows + part.rows, held_bytes + part.bytes
    if piece:
        yield piece


def _cut(shard: int, rows: int, size: int) -> Iterator[Slice]:
    """One shard → slices that are pieces by themselves, but for the last one."""
    batches = -(-rows // BATCH_ROWS)
    bytes_of_batch = -(-size // max(1, batches))
    step = max(1, min(PIECE_ROWS // BATCH_ROWS, PIECE_BYTES // max(1, bytes_of_batch)))
    for first in range(0, batches, step):
        stop = min(first + step, batches)
        held = min(rows, stop * BATCH_ROWS) - first * BATCH_ROWS
        yield Slice(shard=shard, first=first, stop=stop, rows=held, bytes=(stop - first) * bytes_of_batch)
