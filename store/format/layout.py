"""Which rows are in which shard. Reads and writes nothing.

Every family that has a value a row is cut the same way: `Layout` is the only place that knows how.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Rows that were added at once, cut into contiguous shards that differ by one row at most.

    Attributes:
        first_row: number of its first row.
        rows: how many it has.
        first_shard: number of its first shard.
        shards: how many it has.
    """

    first_row: int
    rows: int
    first_shard: int
    shards: int

    def range_of(self, shard: int) -> tuple[int, int]:
        """First row of ``shard`` and the row after its last."""
        place = shard - self.first_shard
        start, stop = place * self.rows // self.shards, (place + 1) * self.rows // self.shards
        return self.first_row + start, self.first_row + stop

    def shard_of(self, row: int) -> int:
        """The shard that holds ``row``. The inverse of `range_of`."""
        return self.first_shard + ((row - self.first_row + 1) * self.shards - 1) // self.rows

    def shards_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(n,) `shard_of` each of ``rows``; rows times shards must be below 2^63."""
        return self.first_shard + ((rows - self.first_row + 1) * self.shards - 1) // self.rows


@dataclass(frozen=True)
class Layout:
    """The segments of a store: their rows and shards follow each other without a gap.

    A store has one segment when it is made. Rows that are appended are a segment more, whose shards are numbered on, so
    that no row changes its shard.

    Attributes:
        segments: in order; at least one, and each with at least one shard.

    Raises:
        ValueError: they are not so.
    """

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        row, shard = 0, 0
        for segment in self.segments:
            if (segment.first_row, segment.first_shard) != (row, shard) or segment.rows < 0 or segment.shards < 1:
                raise ValueError(f"{segment} does not follow row {row} and shard {shard}")
            row, shard = row + segment.rows, shard + segment.shards
        if not self.segments:
            raise ValueError("a layout has at least one segment")

    @classmethod
    def of(cls, *sizes: tuple[int, int]) -> "Layout":
        """The layout of segments of these (rows, shards)."""
        rows = accumulate((rows for rows, _ in sizes), initial=0)
        shards = accumulate((shards for _, shards in sizes), initial=0)
        starts = zip(rows, shards, sizes, strict=False)
        return cls(tuple(Segment(first_row=r, rows=n, first_shard=s, shards=m) for r, s, (n, m) in starts))

    @property
    def rows(self) -> int:
        """Rows of all segments."""
        return self.segments[-1].first_row + self.segments[-1].rows

    @property
    def shards(self) -> int:
        """Shards of all segments."""
        return self.segments[-1].first_shard + self.segments[-1].shards

    @cached_property
    def _first_rows(self) -> list[int]:
        return [segment.first_row for segment in self.segments]

    @cached_property
    def _first_shards(self) -> list[int]:
        return [segment.first_shard for segment in self.segments]

    @cached_property
    def shard_ranges(self) -> tuple[range, ...]:
        """The shards of each segment."""
        return tuple(range(one.first_shard, one.first_shard + one.shards) for one in self.segments)

    def segment_of(self, shard: int) -> int:
        """The number of the segment that has ``shard``, from 0.

        Raises:
            IndexError: there is no such shard.
        """
        if not 0 <= shard < self.shards:
            raise IndexError(f"shard {shard} is none of {self.shards:,}")
        return bisect_right(self._first_shards, shard) - 1

    def range_of(self, shard: int) -> tuple[int, int]:
        """First row of ``shard`` and the row after its last.

        Raises:
            IndexError: there is no such shard.
        """
        return self.segments[self.segment_of(shard)].range_of(shard)

    def rows_of(self, shard: int) -> int:
        """How many rows ``shard`` has.

        Raises:
            IndexError: there is no such shard.
        """
        first, stop = self.range_of(shard)
        return stop - first

    def shard_of(self, row: int) -> int:
        """The shard that holds ``row``. The inverse of `range_of`.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} is none of {self.rows:,}")
        return self.segments[bisect_right(self._first_rows, row) - 1].shard_of(row)

    def shards_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(n,) the shard of each of ``rows``, which ascend.

        Raises:
            IndexError: there is no such row.
        """
        if len(rows) and not 0 <= rows[0] <= rows[-1] < self.rows:
            raise IndexError(f"rows {rows[0]} to {rows[-1]} are not among {self.rows:,}")
        parts = np.split(rows, np.searchsorted(rows, self._first_rows[1:]))
        whose = zip(self.segments, parts, strict=True)
        return np.concatenate([segment.shards_of(part) for segment, part in whose if len(part)] or [rows])

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Each shard's number, first row and the row after its last."""
        for shard in range(self.shards):
            yield shard, *self.range_of(shard)
