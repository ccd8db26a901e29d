"""Made-up arms, seeds and test rows whose true accuracies are known → who has which row right.

A row is right where a sum of normal variables is above a threshold: how easy the row is for all, how easy for this arm,
what this seed's training came to, and the rest. All variances sum to 1, so that an arm's true accuracy over seeds and
rows is the one that was asked for.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is simulated.

    Attributes:
        accuracies: true ones of the arms, over seeds and rows.
        seeds: number of trainings of each arm.
        rows: of the test.
        seed_sd: true standard deviation over seeds of an arm's accuracy, as a share.
        for_all: share of the variance that is the row's, for all arms; disagreement of 94 and 91 % is then about 5.7 %.
        for_arm: share that is the row's for one arm.
    """

    accuracies: tuple[float, ...]
    seeds: int
    rows: int
    seed_sd: float
    for_all: float = 0.89
    for_arm: float = 0.04


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """One experiment.

    Attributes:
        right: (arms, seeds, rows) 1 where a model has a row right, else 0.
        of_models: (arms, seeds) true accuracies of the models at hand, over rows alone.
    """

    right: npt.NDArray[np.float64]
    of_models: npt.NDArray[np.float64]


def draw(truth: Truth, random: np.random.Generator) -> Drawn:
    """One experiment of ``truth``."""
    shape = (len(truth.accuracies), truth.seeds, truth.rows)
    thresholds = np.array([_NORMAL.inv_cdf(one) for one in truth.accuracies])
    slopes = np.array([_NORMAL.pdf(one) for one in thresholds])
    spread = truth.seed_sd / slopes  # of the seeds, in units of the sum
    rest = 1 - truth.for_all - truth.for_arm - spread**2
    seeds = spread[:, None] * random.standard_normal(shape[:2])
    everyone = np.sqrt(truth.for_all) * random.standard_normal(truth.rows, np.float32)
    arms = np.sqrt(truth.for_arm) * random.standard_normal((shape[0], 1, shape[2]), np.float32)
    noise = np.sqrt(rest)[:, None, None] * random.standard_normal(shape, np.float32)
    levels = thresholds[:, None] + seeds
    right = (levels[:, :, None] + everyone + arms + noise > 0).astype(np.float64)
    scaled = levels / np.sqrt(1 - spread**2)[:, None]
    return Drawn(right=right, of_models=np.vectorize(_NORMAL.cdf)(scaled))
