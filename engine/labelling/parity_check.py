"""Some stored logits against the model's own: computed again alone, in fp32, by transformers' code. No torch here.

The record of every shard has the largest difference; a difference over the backend's bound ends the run before the
shard is committed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.compute.backend import ComputesExactly
from engine.errors import LabellingError
from engine.labelling.stored_logits import as_comparable
from engine.progress import Tick, silent
from engine.tokens.tokens import Tokens

_ROUNDING = {"fp32": 2**-23, "fp16": 2**-10, "bf16": 2**-7, "int8": 2**-23, "fp8": 2**-10}
"""Of a number of size 1, by dtype of the computation, whose last product is never in 8 bits."""
_MOST_ROUNDING = 0.25  # a probability may be off by so much of its distance to 0 and 1
_ROWS_PER_CHECK = 256  # a row alone costs several in a batch; no shard spends more than a percent or so


@dataclass(frozen=True, kw_only=True)
class ParityCheck:
    """The result of a check.

    Attributes:
        rows: how many were compared.
        largest_difference: of a logit.
        flips: rows whose prediction differs.
    """

    rows: int
    largest_difference: float
    flips: int


def check_parity(
    encoder: ComputesExactly,
    tokens: Tokens,
    stored: npt.NDArray[np.float16],
    *,
    shard: int,
    rows: int,
    tick: Tick = silent,
) -> ParityCheck | None:
    """Compare ``rows`` random rows of a shard, fewer if it is small; None if it has no rows to compare.

    Args:
        encoder: computes them again, and knows how far they may be off.
        tokens: of the shard.
        stored: (rows of the shard, classes) logits as they will be stored, in the encoder's class order.
        shard: its number, which decides the rows.
        rows: how many at most.
        tick: told after each.

    Raises:
        LabellingError: a logit is further off than the bound of the backend and dtype.
    """
    chosen = chosen_rows(stored, shard=shard, rows=rows)
    if len(chosen) == 0:
        return None
    exact = []
    for row in chosen:
        exact.append(encoder.exact_logits(tokens, int(row)))
        tick("checking logits", len(stored), len(stored))
    compared = stored[chosen].astype(np.float32)
    again, shift = as_comparable(np.stack(exact), stored[chosen])
    difference = np.abs(compared - again)
    # Of what was subtracted its rounding is left, in both logits and in both computations.
    rounding = np.minimum(4 * _ROUNDING[encoder.dtype] * np.abs(shift), _MOST_ROUNDING)
    bad = np.flatnonzero(encoder.bound.exceeded(compared, again, rounding=rounding))
    if bad.size:
        first = bad[0]
        raise LabellingError(
            f"shard {shard}: the logits of its row {chosen[first]} are {_numbers(compared[first])}, and alone in "
            f"fp32 {_numbers(again[first])}: more than {encoder.dtype} explains ({encoder.bound}). "
            "Nothing of this shard was written. Try --dtype fp32, or look at the device"
        )
    return ParityCheck(
        rows=len(chosen),
        largest_difference=round(float(difference.max()), 7),
        flips=int((compared.argmax(axis=1) != again.argmax(axis=1)).sum()),
    )


def chosen_rows(stored: npt.NDArray[np.float16], *, shard: int, rows: int) -> npt.NDArray[np.int64]:
    """Rows to compare, ascending: always the same ones of a shard, and none that failed."""
    there = np.flatnonzero(np.isfinite(stored).all(axis=1))
    size = min(rows, -(-len(there) // _ROWS_PER_CHECK))
    return np.sort(np.random.default_rng(shard).choice(there, size, replace=False))


def _numbers(logits: npt.NDArray[np.float32]) -> str:
    return ", ".join(f"{logit:.4g}" for logit in logits)
