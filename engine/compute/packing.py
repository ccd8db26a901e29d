"""Rows of token ids → one sequence without padding between them, and where in it each row is. Pure numpy."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.tokens.batches import flat, places


@dataclass(frozen=True, kw_only=True)
class Run:
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
class Packing:
    """A packed batch.

    Attributes:
        ids: (tokens,) int64, the rows one after the other; ids of 0 that belong to no row where it was filled up.
        positions: (tokens,) int64, which restart at 0 in every row.
        bounds: (rows + 1,) int32, where each row begins and the last one ends; rows that fill it up are empty.
        rows: how many are real.
        runs: the real rows by length, where they lie side by side.
    """

    ids: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int32]
    rows: int
    runs: tuple[Run, ...]

    @property
    def firsts(self) -> npt.NDArray[np.int64]:
        """(rows,) the first token of each row; of rows that fill it up any token."""
        return np.minimum(self.bounds[:-1], len(self.ids) - 1).astype(np.int64)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max((run.length for run in self.runs), default=0)


def pack(ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Packing:
    """Chosen rows of flat token ids, one after the other in the order of ``rows``.

    Args:
        ids: (tokens,) flat ids.
        offsets: (all rows + 1,) where each row begins.
        rows: (n,) which rows. Equal lengths side by side give few runs.
    """
    lengths = offsets[rows + 1] - offsets[rows]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Packing(
        ids=flat(ids, offsets, rows).astype(np.int64),
        positions=places(lengths),
        bounds=bounds.astype(np.int32),
        rows=len(rows),
        runs=tuple(_runs(lengths, bounds)),
    )


def fill(packing: Packing, *, tokens: int, rows: int) -> Packing:
    """The same rows in a sequence of ``tokens`` tokens and ``rows`` rows, so that every batch has one shape.

    Raises:
        ValueError: there are more.
    """
    more, empty = tokens - len(packing.ids), rows - packing.rows
    if more < 0 or empty < 0:
        raise ValueError(f"{len(packing.ids)} tokens in {packing.rows} rows do not fit {tokens} tokens in {rows} rows")
    return Packing(
        ids=np.pad(packing.ids, (0, more)),
        positions=np.pad(packing.positions, (0, more)),
        bounds=np.pad(packing.bounds, (0, empty), mode="edge"),
        rows=packing.rows,
        runs=packing.runs,
    )


def _runs(lengths: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]) -> list[Run]:
    edges = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
    return [
        Run(begin=int(bounds[first]), rows=stop - first, length=int(lengths[first]))
        for first, stop in pairwise(edges)
        if first < stop
    ]
