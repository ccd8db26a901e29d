"""(rows, seed, epoch) → the order of an epoch. Pure numpy; reads nothing.

Fixed blocks of rows are permuted, and rows are shuffled inside a window of blocks. Random numbers come from Philox, a
counter-based generator, keyed by (seed, epoch) and counted by window: any window can be made without the ones before.
Only raw generator output is used, which numpy promises not to change between versions.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

BLOCK_ROWS = 64
WINDOW_BLOCKS = 1024

Rows = npt.NDArray[np.int64]


def _permutation(n: int, *, seed: int, epoch: int, stream: int) -> Rows:
    generator = np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=[0, 0, 0, stream])
    return np.argsort(generator.random_raw(n), kind="stable")


def epoch_windows(rows: int, *, seed: int, epoch: int, excluded: Rows | None = None) -> Iterator[tuple[Rows, Rows]]:
    """The windows of one epoch, in order.

    Args:
        rows: rows of the store.
        seed: of the whole training.
        epoch: from 0.
        excluded: sorted row numbers that are left out.

    Yields:
        The window's rows in ascending order, and the permutation of them that is the epoch's order.
    """
    blocks = _permutation(-(-rows // BLOCK_ROWS), seed=seed, epoch=epoch, stream=0)
    for window, start in enumerate(range(0, len(blocks), WINDOW_BLOCKS)):
        chosen = np.sort(blocks[start : start + WINDOW_BLOCKS])
        members = (chosen[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).reshape(-1)
        members = members[members < rows]
        if excluded is not None and len(excluded):
            members = members[~np.isin(members, excluded, assume_unique=True)]
        yield members, _permutation(len(members), seed=seed, epoch=epoch, stream=window + 1)
