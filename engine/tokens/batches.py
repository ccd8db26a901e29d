"""Lengths → a plan of batches under a token budget, and back to the order that the rows came in. Pure numpy.

The same lengths and budget give the same plan. A padded batch of n rows whose longest has L tokens costs n · L of the
budget, a packed one as many as its rows have.
"""

from collections.abc import Callable, Sequence
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


def plan_packed(lengths: npt.NDArray[np.integer[Any]], *, budget: int, rows: int | None = None) -> Plan:
    """Cut rows, longest first, into batches of at most ``budget`` real tokens. The inverse is `restore`.

    Args:
        lengths: (rows,) tokens of each row.
        budget: tokens. A row that is longer makes a batch of its own.
        rows: of a batch at most; any number if None.

    Raises:
        ValueError: ``budget`` or ``rows`` is less than 1.
    """
    if budget < 1 or (rows is not None and rows < 1):
        raise ValueError(f"the budget is {budget} tokens in {rows} rows; it must be at least 1")
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[order], dtype=np.int64)])
    batches: Plan = []
    start = 0
    while start < len(order):
        stop = int(np.searchsorted(before, before[start] + budget, side="right")) - 1
        stop = max(start + 1, min(stop, len(order) if rows is None else start + rows))
        batches.append(order[start:stop])
        start = stop
    return batches


def alike(kinds: npt.NDArray[np.int64]) -> Plan:
    """Rows of each kind, ascending; of the largest kind first.

    Args:
        kinds: (rows,) a number for each row.
    """
    order = np.argsort(-kinds, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1) if len(order) else []


def plan_apart(
    kinds: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], plan_alike: Callable[[npt.NDArray[np.int64]], Plan]
) -> Plan:
    """Batches whose rows are all of one kind.

    Args:
        kinds: (rows,) a number for each row.
        lengths: (rows,) tokens of each row.
        plan_alike: cuts rows of one kind, by their lengths.
    """
    return [part[batch] for part in alike(kinds) for batch in plan_alike(lengths[part])]


def restore(batches: Plan, outputs: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Outputs of the planned batches, one row a row, in the order that the rows came in. The inverse of `plan`."""
    stacked = np.concatenate(outputs)
    restored = np.empty_like(stacked)
    restored[np.concatenate(batches)] = stacked
    return restored


@dataclass(frozen=True, kw_only=True)
class Waste:
    """The share of padding in a plan.

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
    """Tokens that padded ``batches`` compute, against tokens of their rows."""
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
        pad_id: fills short rows, on the right.

    Returns:
        (n, longest) int64 ids and (n, longest) bool, true where a token is real.
    """
    lengths = offsets[rows + 1] - offsets[rows]
    real = np.arange(lengths.max(initial=1)) < lengths[:, None]
    padded = np.full(real.shape, pad_id, np.int64)
    padded[real] = flat(ids, offsets, rows)
    return padded, real


def flat(ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """(tokens,) the ids of chosen rows, one row after the other."""
    lengths = offsets[rows + 1] - offsets[rows]
    chosen: npt.NDArray[Any] = ids[np.repeat(offsets[rows], lengths) + places(lengths)]
    return chosen


def places(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(sum of lengths,) the place of each token in its row, for rows that lie one after the other."""
    within: npt.NDArray[np.int64] = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return within
