"""Test errors of direct training on nested numbers of labels → a straight line of log error over log labels.

What the line says at any number of labels is a weighted sum of the measured log errors, so that its variance, and that
of its distance from another arm, come from the mean squares of all arms together, by the delta method.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.comparison.results import DISTILLED, Results
from engine.comparison.statistics import student_t
from engine.comparison.statistics.crossed import MeanSquares, mean_squares
from engine.intervals import SHARE

LEAST_SIZES = 2
_ROUNDING = 1e-9
"""Of log errors: one row of a million tests is more, and what rounding leaves of equal errors is far less."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorCurve:
    """Errors of direct training by labels, and of the distilled student.

    Attributes:
        sizes: numbers of labels, ascending, at least two.
        errors: (sizes,) share of wrong predictions, mean over seeds.
        distilled: that of the distilled student.
        labels: gold labels that its teacher saw.
        squares: of all these errors; the distilled student's is the last.
        seeds: that all of them have.
    """

    sizes: tuple[int, ...]
    errors: npt.NDArray[np.float64]
    distilled: float
    labels: int
    squares: MeanSquares
    seeds: tuple[int, ...]

    @property
    def slope(self) -> float:
        """The b of log error = a − b log labels; exactly 0 where the errors are equal."""
        slope = -float(self._weights_of_slope() @ np.log(self.errors))
        return slope if abs(slope) > _ROUNDING else 0.0

    def log_error(self, labels: float) -> float:
        """What the line says at ``labels``."""
        return float(self._weights(labels) @ np.log(self.errors))

    def labels_at(self, error: float) -> float:
        """Where the line reaches ``error``; infinite where it does not fall, or falls too slowly to be computed."""
        middle = float(np.log(self.sizes).mean())
        if self.slope <= 0:
            return math.inf
        logarithm = middle + (float(np.log(self.errors).mean()) - math.log(error)) / self.slope
        return math.exp(logarithm) if logarithm < math.log(1e300) else math.inf

    def band(self, labels: float) -> tuple[float, float, float]:
        """The line's error at ``labels``, and both ends of its 95 % interval."""
        middle, weights = self.log_error(labels), np.append(self._weights(labels) / self.errors, 0.0)
        variance, df = self.squares.variance(weights)
        half = student_t.quantile(SHARE, df) * math.sqrt(variance)
        return math.exp(middle), math.exp(middle - half), math.exp(middle + half)

    def p_equal(self, labels: float) -> float:
        """Two-sided p of the line at ``labels`` being the distilled student's error."""
        distance = self.log_error(labels) - math.log(self.distilled)
        weights = np.append(self._weights(labels) / self.errors, -1 / self.distilled)
        variance, df = self.squares.variance(weights)
        if abs(distance) <= _ROUNDING:
            return 1.0
        if math.sqrt(variance) <= _ROUNDING:
            return 0.0
        return student_t.two_sided_p(distance / math.sqrt(variance), df)

    def interpolated(self) -> float | None:
        """Labels at which direct training reaches the distilled error, between measured sizes; None outside of them.

        Straight in both logarithms between neighbours; where more labels were worse, both count as their mean.
        """
        falling, ours = _falling(np.log(self.errors)), math.log(self.distilled)
        if not falling[-1] <= ours <= falling[0] or falling[0] == falling[-1]:
            return None
        return math.exp(float(np.interp(-ours, -falling, np.log(self.sizes))))

    def _weights(self, labels: float) -> npt.NDArray[np.float64]:
        """Of the log errors, in what least squares say at ``labels``."""
        middle = np.log(self.sizes).mean()
        weights: npt.NDArray[np.float64] = 1 / len(self.sizes) + (math.log(labels) - middle) * self._weights_of_slope()
        return weights

    def _weights_of_slope(self) -> npt.NDArray[np.float64]:
        away = np.log(self.sizes) - np.log(self.sizes).mean()
        weights: npt.NDArray[np.float64] = away / (away @ away)
        return weights


def fit_errors(results: Results) -> ErrorCurve | str:
    """The line of these results, or why there is none."""
    recipes = results.direct_sizes()
    if len(recipes) < LEAST_SIZES:
        return (
            f"direct training was measured with {len(recipes)} number{'' if len(recipes) == 1 else 's'} of labels, and "
            "what a label is worth needs two of them; give --extra, or --label-sizes"
        )
    seeds, runs = results.paired([*recipes, results.main(DISTILLED)])
    if not seeds:
        return "no seed has direct training with all numbers of labels and a distilled student too"
    wrong = 1 - np.stack([results.right(one) for one in runs])
    squares = mean_squares(wrong)
    if squares.means.min() == 0:
        return (
            "an arm has every test row right, and an error of 0 has no logarithm; give more test rows, or harder ones"
        )
    return ErrorCurve(
        sizes=tuple(recipe.labels for recipe in recipes),
        errors=squares.means[:-1],
        distilled=float(squares.means[-1]),
        labels=results.labels,
        squares=squares,
        seeds=seeds,
    )


def _falling(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The nearest values, by squares, that never rise (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([float(value)])
        while len(blocks) > 1 and np.mean(blocks[-2]) < np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    return np.concatenate([[np.mean(block)] * len(block) for block in blocks])
