"""Two recipes, several seeds each, judged on the same rows → their difference, with an interval over seeds and rows.

Seeds and rows are crossed random effects (Owen 2007, The pigeonhole bootstrap): tests over rows alone speak of the
models at hand, and t over seeds forgets that all seeds share the rows.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]

LEVEL = 0.95


def crossed(ours: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """The mean difference of two (seeds, rows) tables of right answers, its 95 % interval, and its p-value.

    The seeds of both are paired. With one seed the interval is over rows: it speaks of the two models alone.
    """
    differences = ours.astype(np.float64) - others
    seeds, rows = differences.shape
    mean, of_seed, of_row = differences.mean(), differences.mean(axis=1), differences.mean(axis=0)
    by_row = seeds * float(((of_row - mean) ** 2).sum()) / (rows - 1)
    if seeds == 1:
        variance, freedom = by_row / rows, float(rows - 1)
    else:
        by_seed = rows * float(((of_seed - mean) ** 2).sum()) / (seeds - 1)
        rest = differences - of_seed[:, None] - of_row + mean
        residual = float((rest**2).sum()) / ((seeds - 1) * (rows - 1))
        size = seeds * rows
        variance = max(by_seed + by_row - residual, by_row) / size
        parts = ((by_seed, seeds - 1), (by_row, rows - 1), (residual, (seeds - 1) * (rows - 1)))
        spread = sum((square / size) ** 2 / free for square, free in parts)
        freedom = max(seeds - 1, variance**2 / spread) if spread else float(seeds - 1)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * variance**0.5
    p_value = float(2 * stats.t.sf(abs(mean) / variance**0.5, freedom)) if variance else float(mean == 0)
    return {
        "mean": float(mean),
        "low": float(mean - half),
        "high": float(mean + half),
        "degrees_of_freedom": round(float(freedom), 1),
        "p_value": p_value,
        "by_seed": [round(float(one), 5) for one in of_seed],
    }
