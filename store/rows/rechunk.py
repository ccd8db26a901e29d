"""Windows of rows → batches of given sizes. Pure numpy; reads nothing."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from store.rows.window import WindowRows

Batch = dict[str, npt.NDArray[Any]]
"""Arrays of the same rows by column name: always ``row``, (rows,) int64. ``offsets`` alone has one entry more."""


def part_of(rows: Any, *, rank: int, ranks: int) -> tuple[Any, Any]:
    """Of a step of ``rows`` rows, or of many: the first one that is a rank's, and the one behind its last."""
    return rows * rank // ranks, rows * (rank + 1) // ranks


def rechunk(windows: Iterable[WindowRows], sizes: Iterable[int]) -> Iterator[Batch]:
    """The rows of ``windows``, one after the other, cut into batches of ``sizes`` rows, of which some may be 0.

    A batch that ends in another window than it begins in is joined of pieces of each.
    """
    ends = iter(sizes)
    pieces: list[Batch] = []
    missing = next(ends, None)
    for window in windows:
        start = 0
        while missing is not None and (start < len(window) or missing == 0):
            count = min(missing, len(window) - start)
            pieces.append(window.batch(start, start + count))
            start, missing = start + count, missing - count
            if missing == 0:
                yield _joined(pieces)
                pieces, missing = [], next(ends, None)


def _joined(pieces: list[Batch]) -> Batch:
    if len(pieces) == 1:
        return pieces[0]
    batch = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0] if name != "offsets"}
    if "offsets" in pieces[0]:
        lengths = np.concatenate([np.diff(piece["offsets"]) for piece in pieces])
        batch["offsets"] = np.concatenate([[0], np.cumsum(lengths)])
    return batch
