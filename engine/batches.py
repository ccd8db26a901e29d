"""Lengths → a plan of batches under a token budget, and back to the order that the rows came in. Pure numpy.

The same lengths and budget give the same plan. A batch of n rows whose longest has L tokens costs n · L of the budget,
what a padded batch computes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Plan = list[npt.NDArray[np.int64]]
"""Row indices of each batch. Every row is in exactly one."""


def plan(lengths: npt.NDArray[np.integer[Any]], *, budget: int) -> Plan:
    """Cut rows, longest first, into batches of at most ``budget`` padded tokens. The inverse is `restore`.

    Args:
        lengths: (rows,) tokens of each row.
        budget: tokens. A row that is longer makes a batch of its own.

    Raises:
        ValueError: ``budget`` is less than 1.
    """
    if budget < 1:
        raise ValueError(f"the token budget is {budget}; it must be at least 1")
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    batches: Plan = []
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = max(1, budget // longest)
        batches.append(order[start : start + rows])
        start += rows
    return batches


def restore(batches: Plan, outputs: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Outputs of the planned batches, one row a row, in the order that the rows came in. The inverse of `plan`."""
    stacked = np.concatenate(outputs)
    restored = np.empty_like(stacked)
    restored[np.concatenate(batches)] = stacked
    return restored


@dataclass(frozen=True, kw_only=True)
class Waste:
    """How much of what a plan computes is padding.

    Attributes:
        real: tokens of the rows.
        padded: tokens that padded batches compute.
    """

    real: int
    padded: int

    @property
    def ratio(self) -> float:
        """Computed tokens for each real one: 1 is no waste."""
        return self.padded / self.real if self.real else 1.0


def waste(batches: Plan, lengths: npt.NDArray[np.integer[Any]]) -> Waste:
    """What ``batches`` computes against what it has to."""
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return Waste(real=int(lengths.sum()), padded=padded)


def pad(
    ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], *, pad_id: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Rows of flat token ids as one rectangle.

    Args:
        ids: (tokens,) flat ids.
        offsets: (all rows + 1,) where each row begins.
        rows: (n,) which rows.
        pad_id: what fills short rows, on the right.

    Returns:
        (n, longest) int64 ids and (n, longest) bool, true where a token is real.
    """
    lengths = offsets[rows + 1] - offsets[rows]
    real = np.arange(lengths.max(initial=1)) < lengths[:, None]
    padded = np.full(real.shape, pad_id, np.int64)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    padded[real] = ids[np.repeat(offsets[rows], lengths) + within]
    return padded, real
