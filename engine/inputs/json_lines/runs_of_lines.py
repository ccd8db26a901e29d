"""A file of lines → runs of many lines, or single lines: whichever is asked for next."""

import io

import numpy as np

from engine.inputs.blocks import BLOCK_BYTES
from engine.inputs.encodings import SAMPLE_BYTES

_END = 10


class RunsOfLines:
    """The lines of ``source``, each of which is handed out once.

    Args:
        source: bytes of lines.
        lines: how many a run has.
    """

    def __init__(self, source: io.BufferedReader, *, lines: int) -> None:
        self._source = source
        self._lines = lines
        self._held = b""
        self._at = 0

    def run(self) -> bytes | None:
        """The next lines, or those that are left; None if they pass `BLOCK_BYTES`. None of them is taken."""
        pieces = [self._held[self._at :]]
        lines, size = pieces[0].count(b"\n"), len(pieces[0])
        while lines < self._lines and size < BLOCK_BYTES and (more := self._source.read(SAMPLE_BYTES)):
            pieces.append(more)
            lines += more.count(b"\n")
            size += len(more)
        self._held, self._at = b"".join(pieces), 0
        end = size
        if lines >= self._lines:
            end = int(np.flatnonzero(np.frombuffer(self._held, np.uint8) == _END)[self._lines - 1]) + 1
        return self._held[:end] if end < BLOCK_BYTES else None

    def take(self, size: int) -> None:
        """Pass over the ``size`` bytes of the run that was seen last."""
        self._at = size

    def readline(self, limit: int) -> bytes:
        """The next line, or the first ``limit`` bytes of it; empty if there is none."""
        begin, held = self._at, self._held
        end = held.find(b"\n", begin, begin + limit) + 1 or min(begin + limit, len(held))
        self._at = end
        line = held[begin:end]
        if len(line) == limit or line.endswith(b"\n"):
            return line
        return line + self._source.readline(limit - len(line))
