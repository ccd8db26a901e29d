"""The three comparisons that are planned before anything runs → differences, intervals, and what may be said.

All three are of the same student: against the same labels, against more labels, against its teacher. Holm's correction
(1979) keeps the chance of any false claim among them at 5 %. Against the teacher the question is whether distilling
loses anything: no worse if the whole interval lies above −δ, δ being fixed beforehand.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from engine.comparison.results import DIRECT, DIRECT_EXTRA, DISTILLED, TEACHER, Recipe, Results
from engine.comparison.statistics import student_t
from engine.comparison.statistics.crossed import Estimate, difference
from engine.evaluation.paired import compare_pairs
from engine.intervals import SHARE

DELTA = 0.005
"""The loss of accuracy against the teacher that counts as none."""
PLANNED = (DIRECT, DIRECT_EXTRA, TEACHER)
"""Whom ``distilled`` is compared with."""
POWER = 0.8
USUAL_DISAGREEMENT = 0.06
"""Share of rows that one of two good models has right and the other wrong, as long as nothing is measured."""
_LEVEL = 0.05

Verdict = Literal["higher", "lower", "not decided"]
Inferiority = Literal["not inferior", "inferior", "not decided"]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """The accuracy of one recipe less that of another.

    Attributes:
        first: the recipe.
        second: the other.
        difference: of the mean accuracies, a share.
        low: end of its 95 % interval, over seeds and rows; with one seed over rows, of these two models.
        high: the other end.
        p_value: two-sided; with one seed that of McNemar's exact test.
        holm_p: the same, corrected for all planned contrasts at hand.
        by_seed: the difference of each seed, in the order of ``seeds``.
        seeds: those that both have.
        rows: test rows.
        disagreement: share of rows that one of a pair has right and the other wrong; mean over seeds.
        visible: the smallest difference that these seeds and rows would show with a chance of 80 %.
    """

    first: Recipe
    second: Recipe
    difference: float
    low: float
    high: float
    p_value: float
    holm_p: float
    by_seed: tuple[float, ...]
    seeds: tuple[int, ...]
    rows: int
    disagreement: float
    visible: float

    @property
    def verdict(self) -> Verdict:
        """Whether the difference is more than chance, by Holm's p."""
        if self.holm_p >= _LEVEL:
            return "not decided"
        return "higher" if self.difference > 0 else "lower"

    @property
    def inferiority(self) -> Inferiority:
        """Whether the first is worse by `DELTA` or more, by the interval."""
        if self.low > -DELTA:
            return "not inferior"
        return "inferior" if self.high < -DELTA else "not decided"


def planned_contrasts(results: Results) -> list[Contrast]:
    """Those of `PLANNED` for which there are runs with a common seed."""
    ours = results.main(DISTILLED)
    found = [one for arm in PLANNED if (one := contrast(results, ours, results.main(arm))) is not None]
    corrected = holm([one.p_value for one in found])
    return [Contrast(**{**vars(one), "holm_p": p}) for one, p in zip(found, corrected, strict=True)]


def contrast(results: Results, first: Recipe, second: Recipe) -> Contrast | None:
    """The comparison of two recipes, by itself; None if they have no seed in common."""
    seeds, (ours, theirs) = results.paired([first, second])
    if not seeds:
        return None
    mine, other = results.right(ours), results.right(theirs)
    estimate = difference(mine, other)
    p_value = estimate.p_value
    if len(seeds) == 1:
        p_value = compare_pairs(results.gold, ours[0].predicted, theirs[0].predicted).p_value
    return Contrast(
        first=first,
        second=second,
        difference=estimate.mean,
        low=max(-1.0, estimate.low),
        high=min(1.0, estimate.high),
        p_value=p_value,
        holm_p=p_value,
        by_seed=tuple(map(float, (mine - other).mean(axis=1))),
        seeds=seeds,
        rows=estimate.rows,
        disagreement=float(np.mean(mine != other)),
        visible=_visible(estimate),
    )


def smallest_visible(rows: int, disagreement: float) -> float:
    """The smallest difference that one pair of models on ``rows`` test rows shows with a chance of 80 %.

    To be known before anything runs (Card et al. 2020): (z(97.5 %) + z(80 %)) √(disagreement / rows). What seeds add is
    not in it.

    Args:
        rows: of the test.
        disagreement: share of rows that one model has right and the other wrong; `USUAL_DISAGREEMENT` if nothing is
            known.
    """
    normal = NormalDist()
    return (normal.inv_cdf(SHARE) + normal.inv_cdf(POWER)) * math.sqrt(disagreement / rows)


def holm(p_values: list[float]) -> list[float]:
    """Each p value, corrected so that the chance of one false claim among all of them is what p says (Holm 1979)."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, number in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[number]))
        corrected[number] = largest
    return corrected


def _visible(estimate: Estimate) -> float:
    """What `Contrast.visible` is; where no row differs from another, by the interval, which has a width then, too."""
    power, share = (student_t.quantile(one, estimate.df) for one in (POWER, SHARE))
    return (estimate.high - estimate.mean) * (1 + power / share)
