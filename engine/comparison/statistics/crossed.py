"""Values by seed and test row → their mean, and how sure it is when both seeds and rows are drawn at random.

All seeds share the test rows, so that values are not independent: a t test over seeds forgets that the rows are a
sample, a test over rows that the training is one. The variance is that of two crossed random effects (Owen 2007 names
the same for resampling), its degrees of freedom Satterthwaite's (1946):

    V  = max(MS_seed + MS_row − MS_residual, MS_row) / (S N)

Several arms are kept together as matrices of mean products, so that any weighted sum of arms has its variance at once.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.comparison.statistics import student_t
from engine.intervals import SHARE, Z

Values = npt.NDArray[np.float64]
"""(arms, seeds, rows)"""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds and rows, and what is known of it.

    Attributes:
        mean: over all seeds and rows.
        low: end of the 95 % interval.
        high: the other end.
        p_value: two-sided, of the mean being 0.
        variance: of the mean.
        df: degrees of freedom.
        seeds: number of them. With one seed all this is about the models at hand, not about their recipes.
        rows: number of them.
    """

    mean: float
    low: float
    high: float
    p_value: float
    variance: float
    df: float
    seeds: int
    rows: int


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanSquares:
    """What of several arms' values varies with the seed, with the row, and with neither alone.

    Attributes:
        means: (arms,) over seeds and rows.
        seed: (arms, arms) mean products between seeds; zero where there is one seed.
        row: likewise between rows.
        residual: likewise of what is left.
        seeds: number of them.
        rows: number of them.
    """

    means: npt.NDArray[np.float64]
    seed: npt.NDArray[np.float64]
    row: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]
    seeds: int
    rows: int

    def variance(self, weights: npt.NDArray[np.float64]) -> tuple[float, float]:
        """The variance of the mean of Σ weights · values, and its degrees of freedom."""
        cells = self.seeds * self.rows
        seed, row, residual = (
            max(0.0, float(weights @ one @ weights)) / cells for one in (self.seed, self.row, self.residual)
        )
        rows_df = self.rows - 1
        if self.seeds == 1:
            return row, rows_df
        seeds_df = self.seeds - 1
        variance = max(seed + row - residual, row)
        spread = seed**2 / seeds_df + row**2 / rows_df + residual**2 / (seeds_df * rows_df)
        return variance, max(seeds_df, variance**2 / spread) if spread else float(seeds_df)

    def estimate(self, weights: npt.NDArray[np.float64]) -> Estimate:
        """The mean of Σ weights · values and its interval, for values that are 0 or 1 and weights of 1 and −1."""
        mean = float(weights @ self.means)
        variance, df = self.variance(weights)
        if variance > 0:
            error = math.sqrt(variance)
            half, p_value = student_t.quantile(SHARE, df) * error, student_t.two_sided_p(mean / error, df)
        else:  # no row differs from another: as wide as Wilson's interval of a share of 0
            half, p_value = Z**2 / (self.rows + Z**2), 1.0 if mean == 0 else 2.0 ** max(-1000, 1 - self.rows)
        return Estimate(
            mean=mean,
            low=mean - half,
            high=mean + half,
            p_value=p_value,
            variance=variance,
            df=df,
            seeds=self.seeds,
            rows=self.rows,
        )


def mean_squares(values: Values) -> MeanSquares:
    """The mean squares and products of ``values``, at least one seed and two rows."""
    _, seeds, rows = values.shape
    means = values.mean(axis=(1, 2))
    by_seed = values.mean(axis=2) - means[:, None]
    by_row = values.mean(axis=1) - means[:, None]
    left = (values - by_seed[:, :, None] - by_row[:, None, :] - means[:, None, None]).reshape(len(values), -1)
    seeds_df, rows_df = max(1, seeds - 1), rows - 1
    return MeanSquares(
        means=means,
        seed=rows * (by_seed @ by_seed.T) / seeds_df,
        row=seeds * (by_row @ by_row.T) / rows_df,
        residual=left @ left.T / (seeds_df * rows_df),
        seeds=seeds,
        rows=rows,
    )


def mean_of(values: npt.NDArray[np.float64]) -> Estimate:
    """The mean of one arm's values, (seeds, rows)."""
    return mean_squares(values[None]).estimate(np.ones(1))


def difference(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Estimate:
    """The mean of ``first`` less ``second``, both (seeds, rows) and paired in both."""
    return mean_of(first - second)
