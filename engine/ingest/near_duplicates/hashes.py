"""Numbers → numbers that look random, the same on every machine and with every version of a library."""

from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]


def mixed(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele et al. 2014): each bit of the result depends on all bits of the value."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def upper(values: Hashes) -> npt.NDArray[np.uint32]:
    """The upper halves of ``values``."""
    return (values >> np.uint64(32)).astype(np.uint32)


def packed(high: npt.NDArray[Any], low: npt.NDArray[Any]) -> Hashes:
    """Two numbers below 2^32 in one, so that they are sorted and looked up together."""
    return (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
