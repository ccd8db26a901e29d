"""The ids of a store → row numbers of ids that a file has, many at once. Exact, and without a Python object an id.

Ids lie in one Arrow array; 64 bits of hash of each, sorted, say where an id may be, and the id itself whether it is.
"""

import hashlib
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.progress import Tick, silent
from store.format.names import CORPUS
from store.format.shard import BATCH_ROWS
from store.rows.family_reader import FamilyReader
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot

ABSENT = -1
_AT_ONCE = 64 * BATCH_ROWS
_HASHED = 1 << 14


class IdIndex:
    """Finds ids.

    Args:
        ids: (rows,) strings, each once; the row of an id is its place.
    """

    def __init__(self, ids: pa.Array) -> None:
        self._ids = ids.cast(pa.large_string())
        hashes = _hashes(self._ids)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    @classmethod
    def of_store(cls, snapshot: Snapshot, *, tick: Tick = silent) -> "IdIndex":
        """That of a store, of which it reads no other column.

        Raises:
            StoreMissingError: the corpus is not finished.
            DamageError: a file of the corpus is damaged.
        """
        snapshot.corpus.check_complete()
        reader, rows = FamilyReader(snapshot, CORPUS, ["id"]), snapshot.layout.rows
        pieces: list[pa.Array] = []
        for start in range(0, rows, _AT_ONCE):
            stop = min(start + _AT_ONCE, rows)
            pieces += [piece["id"] for piece in reader.read(np.arange(start, stop))]
            tick("reading ids", stop, rows)
        ids = pa.concat_arrays(pieces)
        pieces.clear()  # half of the memory
        return cls(ids)

    def rows(self, ids: pa.Array) -> RowNumbers:
        """(n,) the row of each of ``ids``, strings without nulls; `ABSENT` where the store has none."""
        ids = ids.cast(pa.large_string())
        hashes, found = _hashes(ids), np.full(len(ids), ABSENT, np.int64)
        places = np.searchsorted(self._hashes, hashes)
        left = np.arange(len(ids))
        while len(left):  # more than once only if two ids have one hash
            left = left[places[left] < len(self._hashes)]
            left = left[self._hashes[places[left]] == hashes[left]]
            rows = self._order[places[left]]
            is_same = pc.equal(self._ids.take(pa.array(rows)), ids.take(pa.array(left)))
            same = is_same.to_numpy(zero_copy_only=False)
            found[left[same]] = rows[same]
            left = left[~same]
            places[left] += 1
        return found

    def known(self, ids: Iterable[str]) -> dict[str, int]:
        """The rows of those of ``ids`` that the store has."""
        names = list(ids)
        rows = self.rows(pa.array(names, pa.large_string())).tolist()
        return {name: row for name, row in zip(names, rows, strict=True) if row != ABSENT}

    def id(self, row: int) -> str:
        """The id of ``row``."""
        return str(self._ids[row])

    def first(self, count: int) -> list[str]:
        """The first ids."""
        some: list[str] = self._ids[:count].to_pylist()
        return some


def _hashes(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """(n,) 64 bits of BLAKE2b of each of ``ids``, large strings without nulls."""
    hashes = np.empty(len(ids), np.uint64)
    for start in range(0, len(ids), _HASHED):
        part = ids[start : start + _HASHED]
        hashes[start : start + len(part)] = _hashes_of_few(part)
    return hashes


def _hashes_of_few(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """As `_hashes`; holds a Python object for each."""
    _, offsets, data = ids.buffers()
    places = np.frombuffer(offsets, np.int64, len(ids) + 1, offset=8 * ids.offset).tolist()
    text, new = memoryview(b"" if data is None or places[0] == places[-1] else data), hashlib.blake2b
    digests = [new(text[begin:end], digest_size=8).digest() for begin, end in pairwise(places)]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
