"""Rows of token ids → one sequence without padding between them, and where in it each row is. Pure numpy."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.tokens.batches import flat, places


@dataclass(frozen=True, kw_only=True)
class EqualRows:
    """Rows of equal length that lie side by side.

    Attributes:
        begin: its first token.
        rows: how many.
        length: tokens of each.
    """

    begin: int
    rows: int
    length: int

    @property
    def stop(self) -> int:
        """The token behind its last one."""
        return self.begin + self.rows * self.length


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """A packed batch, on the CPU; `engine.compute.attention.DeviceRows` is its twin on a device.

    Attributes:
        ids: (tokens,) int64, the rows one after the other; if it was filled up, ids of 0 that belong to no row.
        positions: (tokens,) int64, which restart at 0 in every row.
        bounds: (rows + 1,) int32, where each row begins and the last one ends; rows that fill it up are empty.
        rows: how many are real.
        blocks: the real rows, those of equal length that lie side by side together.
    """

    ids: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int32]
    rows: int
    blocks: tuple[EqualRows, ...]

    @property
    def firsts(self) -> npt.NDArray[np.int64]:
        """(rows,) the first token of each row; of rows that fill it up any token."""
        return np.minimum(self.bounds[:-1], len(self.ids) - 1).astype(np.int64)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max((block.length for block in self.blocks), default=0)


def pack(ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> PackedRows:
    """Chosen rows of flat token ids, one after the other in the order of ``rows``.

    Args:
        ids: (tokens,) flat ids.
        offsets: (all rows + 1,) where each row begins.
        rows: (n,) which rows. Equal lengths side by side give few blocks.
    """
    lengths = offsets[rows + 1] - offsets[rows]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return PackedRows(
        ids=flat(ids, offsets, rows).astype(np.int64),
        positions=places(lengths),
        bounds=bounds.astype(np.int32),
        rows=len(rows),
        blocks=tuple(_blocks(lengths, bounds)),
    )


def fill(packed: PackedRows, *, tokens: int, rows: int) -> PackedRows:
    """The same rows in a sequence of ``tokens`` tokens and ``rows`` rows, so that every batch has one shape.

    Raises:
        ValueError: it has more of either.
    """
    more, empty = tokens - len(packed.ids), rows - packed.rows
    if more < 0 or empty < 0:
        raise ValueError(f"{len(packed.ids)} tokens in {packed.rows} rows do not fit {tokens} tokens in {rows} rows")
    return PackedRows(
        ids=np.pad(packed.ids, (0, more)),
        positions=np.pad(packed.positions, (0, more)),
        bounds=np.pad(packed.bounds, (0, empty), mode="edge"),
        rows=packed.rows,
        blocks=packed.blocks,
    )


def _blocks(lengths: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]) -> list[EqualRows]:
    edges = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
    return [
        EqualRows(begin=int(bounds[first]), rows=stop - first, length=int(lengths[first]))
        for first, stop in pairwise(edges)
        if first < stop
    ]
