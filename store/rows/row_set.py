"""A set of row numbers as one bit a row, such as a selection or the rows that a stream gives. Pure numpy.

A word of 64 bits is one block of the stream's order, so that rows are counted block by block.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WORD_ROWS = 64

RowNumbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class RowSet:
    """Some of the rows 0 to ``size`` - 1.

    Attributes:
        size: rows of the store.
        words: (⌈size / 64⌉,) uint64; row r is bit r % 64 of word r // 64, and bits behind the last row are 0.
    """

    size: int
    words: Words

    @classmethod
    def of(cls, numbers: RowNumbers, *, size: int) -> "RowSet":
        """The set of ``numbers``, each from 0 to ``size`` - 1, in any order and also more than once."""
        words = np.zeros(-(-size // WORD_ROWS), np.uint64)
        bits = np.uint64(1) << (numbers % WORD_ROWS).astype(np.uint64)
        np.bitwise_or.at(words, numbers // WORD_ROWS, bits)
        return cls(size=size, words=words)

    @classmethod
    def every(cls, size: int) -> "RowSet":
        """All rows."""
        return ~cls(size=size, words=np.zeros(-(-size // WORD_ROWS), np.uint64))

    def __len__(self) -> int:
        return int(self.counts().sum())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowSet) and self.size == other.size and np.array_equal(self.words, other.words)

    def __hash__(self) -> int:
        return hash((self.size, self.words.tobytes()))

    def __and__(self, other: "RowSet") -> "RowSet":
        return RowSet(size=self.size, words=self.words & self._fitting(other))

    def __or__(self, other: "RowSet") -> "RowSet":
        return RowSet(size=self.size, words=self.words | self._fitting(other))

    def __invert__(self) -> "RowSet":
        words = ~self.words
        if self.size % WORD_ROWS:
            words[-1] &= (np.uint64(1) << np.uint64(self.size % WORD_ROWS)) - np.uint64(1)
        return RowSet(size=self.size, words=words)

    def of_size(self, size: int) -> "RowSet":
        """The same rows, of a store that has ``size`` rows by now: those that were appended are not in the set."""
        if size < self.size:
            raise ValueError(f"a set of {self.size:,} rows does not become one of {size:,}")
        words = np.zeros(-(-size // WORD_ROWS), np.uint64)
        words[: len(self.words)] = self.words
        return RowSet(size=size, words=words)

    def _fitting(self, other: "RowSet") -> Words:
        if other.size != self.size:
            raise ValueError(f"a set of {self.size:,} rows does not go with one of {other.size:,}")
        return other.words

    def counts(self) -> npt.NDArray[np.uint8]:
        """(words,) how many rows of each word are in the set."""
        return np.bitwise_count(self.words)

    def has(self, numbers: RowNumbers) -> npt.NDArray[np.bool_]:
        """(n,) whether each of ``numbers`` is in the set."""
        bits = self.words[numbers // WORD_ROWS] >> (numbers % WORD_ROWS).astype(np.uint64)
        return (bits & np.uint64(1)).astype(np.bool_)

    def numbers(self) -> RowNumbers:
        """Its row numbers, ascending."""
        bits = np.unpackbits(self.words.astype("<u8").view(np.uint8), bitorder="little")
        return np.flatnonzero(bits[: self.size]).astype(np.int64)
