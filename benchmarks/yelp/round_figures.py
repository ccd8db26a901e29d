"""Right answers of models that were trained with several seeds → accuracies, and the gain of some over others."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.comparison.statistics.crossed import difference

Right = npt.NDArray[np.bool_]
"""(seeds, test rows) whether an answer is right."""


def figures(right: Right) -> dict[str, Any]:
    """The accuracy of each seed, their mean and deviation."""
    accuracies = right.mean(axis=1)
    deviation = float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
    return {"accuracies": accuracies.tolist(), "mean": float(accuracies.mean()), "deviation": deviation}


def gain(ours: Right, others: Right) -> dict[str, Any]:
    """The difference of two accuracies, whose seeds are paired, with its interval over seeds and rows."""
    found = difference(ours.astype(np.float64), others.astype(np.float64))
    return {
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "degrees_of_freedom": round(found.df, 1),
        "p_value": found.p_value,
        "by_seed": (ours.mean(axis=1) - others.mean(axis=1)).round(5).tolist(),
    }
