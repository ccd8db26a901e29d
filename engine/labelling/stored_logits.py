"""Logits as computed → logits as stored, in float16.

float16 keeps 11 bits: logits of 1,000 are kept to halves, and those beyond 65,504 not at all. A row whose largest logit
is far from 0 is stored less that logit, which the softmax does not see; every other row as it is. What a row becomes
depends on that row alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import LabellingError
from engine.progress import Tick

CENTRED_FROM = 32.0
"""From this size on a logit is rounded by 1/64 or more, and a probability may be off by 0.004."""
_LEAST = float(np.finfo(np.float16).min)
_HOPELESS = 8  # rows to compute again, if all of a shard are not finite, before it is given up


@dataclass(frozen=True, kw_only=True)
class StoredLogits:
    """The logits of a shard, to be stored.

    Attributes:
        logits: (rows, classes) float16; not finite where the computed ones are not.
        centred: number of rows that are stored less their largest logit.
    """

    logits: npt.NDArray[np.float16]
    centred: int


def as_stored(logits: npt.NDArray[np.float32], centred_from: float | None) -> StoredLogits:
    """Round logits to float16, those of a row less their largest one where it is far from 0.

    Args:
        logits: (rows, classes) float32.
        centred_from: how far; None to round every row as it is, as label sets of earlier versions do.
    """
    if centred_from is None or not len(logits):
        return StoredLogits(logits=_rounded(logits), centred=0)
    largest = logits.max(axis=1, keepdims=True)
    far = np.isfinite(logits).all(axis=1) & (np.abs(logits).max(axis=1) > -_LEAST)
    far |= np.isfinite(largest[:, 0]) & (np.abs(largest[:, 0]) >= centred_from)
    rounded = _rounded(logits)
    # Below the range of float16 a probability is 0 in any case.
    rounded[far] = _rounded(np.maximum(_less(logits[far], largest[far]), _LEAST))
    return StoredLogits(logits=rounded, centred=int(far.sum()))


def finite_logits(
    logits: npt.NDArray[np.float32],
    centred_from: float | None,
    exact: Callable[[int], npt.NDArray[np.float32]],
    *,
    shard: int,
    tick: Tick,
) -> StoredLogits:
    """`as_stored`; rows that are not finite are computed again, alone and in fp32.

    Args:
        logits: (rows, classes) float32; what is computed again is put in its place.
        centred_from: as of `as_stored`.
        exact: computes the logits of a row again.
        shard: its number, for messages.
        tick: told of each row that is computed again.

    Raises:
        LabellingError: no row has finite logits, nor do the first ones when computed again.
    """
    stored = as_stored(logits, centred_from)
    bad = np.flatnonzero(~np.isfinite(stored.logits).all(axis=1))
    if not len(bad):
        return stored
    for at, row in enumerate(bad):
        if at == _HOPELESS and len(bad) == len(logits) and not np.isfinite(logits[:at]).all(axis=1).any():
            break
        logits[row] = exact(int(row))
        tick("computing logits again", len(logits), len(logits))
    if not np.isfinite(logits).all(axis=1).any():
        raise LabellingError(
            f"shard {shard}: none of its {len(logits):,} rows has finite logits, nor when computed alone "
            "in fp32. Nothing of this shard was written. The model is broken; use an earlier checkpoint of it"
        )
    return as_stored(logits, centred_from)


def as_comparable(
    exact: npt.NDArray[np.float32], stored: npt.NDArray[np.float16]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Logits of the same rows computed once more → as they would be stored, but not rounded.

    Args:
        exact: (rows, classes) float32.
        stored: (rows, classes) float16, which say what rows are stored less their largest logit.

    Returns:
        (rows, classes), and (rows, 1), what was subtracted.
    """
    centred = (stored.max(axis=1) == 0) & (np.abs(exact).max(axis=1) > CENTRED_FROM / 2)
    shift = np.where(centred, exact.max(axis=1), np.float32(0))[:, None]
    least = np.where(centred, np.float32(_LEAST), np.float32(-np.inf))[:, None]
    return np.maximum(_less(exact, shift), least).astype(np.float32), shift


def _less(logits: npt.NDArray[np.float32], shift: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """``logits - shift``, which float32 may not hold."""
    return logits.astype(np.float64) - shift


def _rounded(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        return logits.astype(np.float16)
