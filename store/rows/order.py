"""(rows, seed, epoch) → the order of an epoch, any part of it without the parts before. Pure numpy; reads nothing.

Fixed blocks of rows are permuted, and rows are shuffled inside a window of blocks. The permutation of blocks is a
Feistel network that is walked until it lands on a block: its value at one place needs no other (Black and Rogaway
2002). Keys, and the shuffle of a window, come from Philox, a counter-based generator, keyed by (seed, epoch) and
counted by window. Only raw generator output is used, which numpy promises not to change between versions.

So a store of a billion rows needs no memory for its order, and a resume finds its place at once. If only some rows
are chosen, their bits are counted block by block.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from store.rows.row_set import WORD_ROWS, RowNumbers, RowSet

BLOCK_ROWS = WORD_ROWS
WINDOW_BLOCKS = 1024
WINDOW_ROWS = BLOCK_ROWS * WINDOW_BLOCKS
_ROUNDS = 8
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # of SplitMix64 (Steele et al. 2014)

_Numbers = npt.NDArray[np.int64]
_Raw = npt.NDArray[np.uint64]


def _raw(n: int, *, seed: int, epoch: int, stream: int) -> _Raw:
    """(n,) random words, another sequence for each ``stream``."""
    generator = np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=[0, 0, 0, stream])
    return np.asarray(generator.random_raw(n), np.uint64)


class BlockPermutation:
    """A permutation of the numbers 0 to ``size`` - 1, one at a time, and its inverse.

    Args:
        size: how many numbers.
        seed: of the whole training.
        epoch: from 0.
    """

    def __init__(self, size: int, *, seed: int, epoch: int) -> None:
        self._size = np.uint64(size)
        self._half = np.uint64(max(1, (max(1, size - 1).bit_length() + 1) // 2))
        self._mask = (np.uint64(1) << self._half) - np.uint64(1)
        self._keys = _raw(_ROUNDS, seed=seed, epoch=epoch, stream=0)

    def __call__(self, numbers: _Numbers) -> _Numbers:
        """(n,) where each of ``numbers`` goes."""
        return self._walk(numbers, self._forward)

    def inverse(self, numbers: _Numbers) -> _Numbers:
        """(n,) which number goes to each of ``numbers``."""
        return self._walk(numbers, self._backward)

    def _walk(self, numbers: _Numbers, step: Callable[[_Raw], _Raw]) -> _Numbers:
        """Apply ``step`` until every number is one of ours: the network permutes a power of four of them."""
        found = step(numbers.astype(np.uint64))
        while (outside := np.flatnonzero(found >= self._size)).size:
            found[outside] = step(found[outside])
        return found.astype(np.int64)

    def _forward(self, numbers: _Raw) -> _Raw:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            left, right = right, left ^ self._mixed(right, key)
        return (left << self._half) | right

    def _backward(self, numbers: _Raw) -> _Raw:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys[::-1]:
            left, right = right ^ self._mixed(left, key), left
        return (left << self._half) | right

    def _mixed(self, half: _Raw, key: np.uint64) -> _Raw:
        mixed = half ^ key
        for shift, factor in zip((np.uint64(30), np.uint64(27)), _MIX, strict=True):
            mixed = (mixed ^ (mixed >> shift)) * factor
        return (mixed ^ (mixed >> np.uint64(31))) & self._mask


def _sorting(words: _Raw) -> _Numbers:
    """(n,) the places of ``words``, at most `WINDOW_ROWS`, in the order of their upper 48 bits; equal ones in theirs.

    Words that carry their places in their lower bits are sorted several times as fast as places by words.
    """
    carried = words & ~np.uint64(WINDOW_ROWS - 1) | np.arange(len(words), dtype=np.uint64)
    return (np.sort(carried) & np.uint64(WINDOW_ROWS - 1)).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Some rows of an epoch that stand side by side in its order.

    Attributes:
        start: how many rows of the epoch come before it.
        members: its rows, ascending.
        order: (members,) the permutation of ``members`` that is the epoch's order.
    """

    start: int
    members: RowNumbers
    order: _Numbers


class EpochOrder:
    """The order of one epoch.

    Args:
        rows: of the store.
        seed: of the whole training.
        epoch: from 0.
        chosen: the rows that come; all if None.
    """

    def __init__(self, rows: int, *, seed: int, epoch: int, chosen: RowSet | None = None) -> None:
        self._rows = rows
        self._seed = seed
        self._epoch = epoch
        self._chosen = chosen
        self._blocks = -(-rows // BLOCK_ROWS)
        self._permute = BlockPermutation(self._blocks, seed=seed, epoch=epoch)

    def __len__(self) -> int:
        """Rows of the epoch."""
        return self._rows if self._chosen is None else len(self._chosen)

    @property
    def _windows(self) -> int:
        return -(-self._blocks // WINDOW_BLOCKS)

    def windows(self, position: int = 0) -> Iterator[Window]:
        """The windows from the one on that has the row at ``position`` of the order, those that have rows."""
        if position >= len(self):
            return
        first, start = self._window_at(position)
        for number in range(first, self._windows):
            window = self._window(number, start)
            start += len(window.members)
            if len(window.members):
                yield window

    def _window(self, number: int, start: int) -> Window:
        blocks = np.sort(self._permute(self._block_range(number)))
        members = (blocks[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).reshape(-1)
        members = members[members < self._rows]
        if self._chosen is not None:
            members = members[self._chosen.has(members)]
        words = _raw(len(members), seed=self._seed, epoch=self._epoch, stream=number + 1)
        return Window(start=start, members=members, order=_sorting(words))

    def _block_range(self, number: int) -> _Numbers:
        return np.arange(number * WINDOW_BLOCKS, min(self._blocks, (number + 1) * WINDOW_BLOCKS))

    def _window_at(self, position: int) -> tuple[int, int]:
        """The number of the window with the row at ``position``, and how many rows come before that window.

        All windows have `WINDOW_ROWS` places but the last one. If rows are fewer than places, those that are absent are
        the end of the last block, and the permutation may have put that block into any window, which is short then.
        With windows of 4 places, blocks of 2 and 11 rows, 1 row is absent. If block 5 came into window 1:

        - position 5 is in window 1, behind 4 rows: places are positions up to the short window's end;
        - position 7 would be the last place of window 1, which is the absent one: it is in window 2, behind 7 rows.
        """
        if self._chosen is not None:
            number = int(np.searchsorted(self._ends, position, side="right"))
            return number, int(self._ends[number - 1]) if number else 0
        absent_rows = self._blocks * BLOCK_ROWS - self._rows
        short_window = int(self._permute.inverse(np.array([self._blocks - 1]))[0]) // WINDOW_BLOCKS
        number = position // WINDOW_ROWS
        if number >= short_window and position + absent_rows >= (number + 1) * WINDOW_ROWS:
            number += 1
        return number, number * WINDOW_ROWS - (absent_rows if number > short_window else 0)

    @cached_property
    def _ends(self) -> _Numbers:
        """(windows,) how many chosen rows come up to the end of each window."""
        assert self._chosen is not None, "asked only if rows are chosen"
        counts = self._chosen.counts()
        sizes = [int(counts[self._permute(self._block_range(number))].sum()) for number in range(self._windows)]
        return np.cumsum(np.array(sizes, np.int64))


def whole_order(rows: int, *, seed: int, epoch: int) -> RowNumbers:
    """(rows,) the order of one epoch over all rows, if it fits in memory."""
    windows = EpochOrder(rows, seed=seed, epoch=epoch).windows()
    return np.concatenate([np.empty(0, np.int64), *(window.members[window.order] for window in windows)])
