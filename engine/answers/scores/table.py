"""Scores of many answers, in the order in which they come: in memory if they are few, else in a file without a name."""

import tempfile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_SPILL_BYTES = 64 << 20

Scores = npt.NDArray[np.float32]


class ScoreTable:
    """Rows of scores. Use as a context manager, so that its file goes.

    Args:
        classes: scores of a row.
        spill_bytes: that are held in memory before they go to disk.
    """

    def __init__(self, classes: int, *, spill_bytes: int = _SPILL_BYTES) -> None:
        self._classes = classes
        self._spill_bytes = spill_bytes
        self._held: list[Scores] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self.rows = 0

    def add(self, scores: npt.NDArray[Any]) -> None:
        """Take in ``scores``, (rows, classes); they are kept as float32."""
        block = scores.astype(np.float32)
        self.rows += len(block)
        self._bytes += block.nbytes
        self._held.append(block)
        if self._bytes > self._spill_bytes:
            self._spill()

    def all(self) -> Scores:
        """(rows, classes) all of them; mapped, if they are in a file. Nothing is added behind that."""
        if self._file is None:
            return np.concatenate([np.empty((0, self._classes), np.float32), *self._held])
        self._spill()
        self._file.flush()
        return np.memmap(self._file, np.float32, "r", shape=(self.rows, self._classes))

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="engine-scores-")  # noqa: SIM115 - as long as the table
        for block in self._held:
            self._file.write(block.tobytes())
        self._held, self._bytes = [], 0

    def __enter__(self) -> "ScoreTable":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
