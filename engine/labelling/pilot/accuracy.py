"""Rows of a pilot that have gold → the accuracy of the teacher on all rows that have, with its interval. Pure numpy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.intervals import wilson
from engine.labelling.pilot.mix.mix import STRATA, Numbers


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How often the teacher is right.

    Attributes:
        share: of the rows with gold, from 0 to 1.
        low: the least that it may be, with 95 %.
        high: the most.
        rows: with gold, of the pilot.
    """

    share: float
    low: float
    high: float
    rows: int


def accuracy_of(
    strata: Numbers, right: npt.NDArray[np.bool_], population: Numbers, *, clusters: Numbers | None = None
) -> Accuracy | None:
    """The accuracy on the rows that ``population`` counts; None if the pilot has no row with gold.

    Each row of the pilot stands for those of its stratum. Rows that were drawn in clusters count less, if clusters
    differ more than chance lets them.

    Args:
        strata: (n,) of the rows with gold.
        right: (n,) whether the teacher gives them their gold label.
        population: (strata,) rows with gold.
        clusters: (n,) the shard of each, if whole shards were drawn.
    """
    if not len(right):
        return None
    found = np.bincount(strata, minlength=STRATA)
    weights = population[strata] / found[strata]
    weights = weights / weights.sum()
    share = float(weights[right].sum())
    effective = 1 / float((weights**2).sum())
    if clusters is not None:
        effective /= design_effect(weights * (right - share), clusters)
    low, high = wilson(min(1.0, share), effective)
    return Accuracy(share=share, low=max(0.0, low), high=min(1.0, high), rows=len(right))


def design_effect(deviations: npt.NDArray[np.float64], clusters: Numbers) -> float:
    """By how much the variance of a sum is larger since its parts come in clusters (Kish 1965); at least 1.

    Args:
        deviations: (n,) of the parts from their mean, with their weights.
        clusters: (n,) of each.
    """
    _, which = np.unique(clusters, return_inverse=True)
    count, alone = int(which.max()) + 1, float((deviations**2).sum())
    if count < 2 or alone == 0:
        return 1.0
    return max(1.0, float((np.bincount(which, deviations) ** 2).sum()) * count / (count - 1) / alone)
