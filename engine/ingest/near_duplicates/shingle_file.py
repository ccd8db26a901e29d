"""The shingles of many texts, in a temporary file: few of them are ever asked for again, to be compared exactly."""

import mmap
import tempfile
import weakref
from array import array

import numpy as np
import numpy.typing as npt

from engine.ingest.near_duplicates.shingles import ShingleSets


class ShingleFile:
    """Texts behind each other. Its file, four bytes a shingle, goes with it; in memory are 8 bytes a text."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="engine-shingles-")  # noqa: SIM115 - it lives as long as this object
        self._close = weakref.finalize(self, self._file.close)
        self._starts = array("q", [0])
        self._map: mmap.mmap | None = None

    def add(self, sets: ShingleSets) -> None:
        """Keep the shingles of more texts."""
        self._file.write(sets.values.tobytes())
        self._starts.frombytes((sets.starts[1:] + self._starts[-1]).tobytes())
        self._map = None

    def sizes(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many shingles each of some texts has."""
        starts = np.frombuffer(self._starts, np.int64)
        return starts[positions + 1] - starts[positions]

    def of(self, positions: npt.NDArray[np.int64]) -> ShingleSets:
        """The shingles of the texts at ``positions``, in that order; there is one at least."""
        if self._map is None:
            self._file.flush()
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        held = np.frombuffer(self._map, np.uint32)
        sizes = self.sizes(positions)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        firsts = np.frombuffer(self._starts, np.int64)[positions]
        values = held[np.repeat(firsts - starts[:-1], sizes) + np.arange(starts[-1])]
        return ShingleSets(values=values, starts=starts)
