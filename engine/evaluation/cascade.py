"""Two models and labelled rows → the threshold below which the first defers to the second, and what both are worth.

The threshold is chosen on one half of the rows and measured on the other: on rows that it was chosen on it looks better
than it is.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.intervals import wilson

Right = npt.NDArray[np.bool_]
"""(rows,) whether a model is right."""
_STEPS = 20
LEAST_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What two models say of labelled rows.

    Attributes:
        confidence: (rows,) of the first model.
        first: whether it is right.
        second: whether the second one is right.
    """

    confidence: npt.NDArray[np.float64]
    first: Right
    second: Right

    def some(self, rows: npt.NDArray[np.int64]) -> "Judged":
        """The same of ``rows``."""
        return Judged(confidence=self.confidence[rows], first=self.first[rows], second=self.second[rows])


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a threshold gives.

    Attributes:
        threshold: below which rows go to the second model.
        deferred: share of rows that do.
        accuracy: of both together.
        low: of the interval of 95 % (Wilson 1927).
        high: of it.
    """

    threshold: float
    deferred: float
    accuracy: float
    low: float
    high: float


def halves(rows: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows to choose on and the rows to measure on: drawn at random, always the same.

    Raises:
        InputError: they are too few.
    """
    if rows < LEAST_ROWS:
        raise InputError(f"{rows} labelled rows count, and a threshold needs {LEAST_ROWS}; give more of them")
    drawn = np.random.default_rng(0).permutation(rows)
    return np.sort(drawn[: rows // 2]), np.sort(drawn[rows // 2 :])


def choose_threshold(judged: Judged, target: float) -> float:
    """The lowest threshold with which both models together reach ``target``.

    Raises:
        InputError: none does.
    """
    thresholds, accuracies = _curve(judged)
    reached = np.flatnonzero(accuracies >= target)
    if not len(reached):
        best = int(accuracies.argmax())
        raise InputError(
            f"no threshold reaches an accuracy of {target:g}: the best, {thresholds[best]:.4g}, reaches "
            f"{accuracies[best]:.4f} on {len(judged.first):,} rows; lower --target, or train a better second model"
        )
    return float(thresholds[reached[0]])


def measure(judged: Judged, threshold: float) -> Measured:
    """What ``threshold`` gives on these rows."""
    deferred = judged.confidence < threshold
    right = np.where(deferred, judged.second, judged.first)
    low, high = wilson(float(right.mean()), len(right))
    return Measured(
        threshold=threshold,
        deferred=float(deferred.mean()),
        accuracy=float(right.mean()),
        low=low,
        high=high,
    )


def why_pointless(judged: Judged, threshold: float, *, target: float, first: str, second: str) -> str | None:
    """A sentence if ``threshold`` leaves all of the rows to one of the models; None if both answer.

    Args:
        judged: what both say of the rows.
        threshold: that was chosen.
        target: the accuracy that it was chosen for.
        first: name of the first model.
        second: name of the second.
    """
    deferred = measure(judged, threshold).deferred
    if deferred == 0:
        return (
            f"the second model is pointless: {first} reaches {target:g} without it, and no row would go to {second}; "
            f"predict without --defer-to, or give a higher --target"
        )
    if deferred == 1:
        return (
            f"the first model is pointless: every row would go to {second}; predict with {second} alone, or give a "
            "lower --target"
        )
    return None


def curve(judged: Judged) -> list[Measured]:
    """What thresholds give with which 0, 5, …, 100 % of the rows go to the second model, or about so many."""
    thresholds, _ = _curve(judged)
    chosen = thresholds[np.linspace(0, len(thresholds) - 1, min(_STEPS + 1, len(thresholds))).round().astype(int)]
    return [measure(judged, float(threshold)) for threshold in chosen]


def _curve(judged: Judged) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Each threshold that defers another number of rows, ascending, and the accuracy with it; 0 defers none.

    A threshold is a confidence that occurs, or is above all of them: rows of equal confidence go together.
    """
    order = np.argsort(judged.confidence, kind="stable")
    confidence = judged.confidence[order]
    gain = judged.second[order].astype(np.int64) - judged.first[order].astype(np.int64)
    right = int(judged.first.sum()) + np.concatenate([[0], np.cumsum(gain)])
    begins = np.flatnonzero(np.diff(confidence, prepend=-1.0) > 0)  # of each group of equal confidence
    above = np.nextafter(confidence[-1], math.inf)
    thresholds = np.concatenate([confidence[begins], [above]])
    thresholds[0] = 0.0
    return thresholds, right[np.append(begins, len(confidence))] / len(confidence)


def as_rows(found: list[Measured]) -> list[dict[str, Any]]:
    """For a table."""
    return [{name: round(value, 5) for name, value in vars(one).items()} for one in found]
