"""Two models' predictions of the same rows → their agreement, and whether they differ by more than chance."""

import math
from dataclasses import dataclass

import numpy as np

from engine.evaluation.metrics import Labels


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A paired comparison.

    Attributes:
        agreement: share of rows with the same prediction.
        only_first: rows that only the first model predicts right.
        only_second: rows that only the second one predicts right.
        p_value: of McNemar's exact test, two-sided, of both models being wrong equally often.
    """

    agreement: float
    only_first: int
    only_second: int
    p_value: float


def compare_pairs(gold: Labels, first: Labels, second: Labels) -> Paired:
    """McNemar's exact test (McNemar 1947) of two models on the same rows."""
    only_first = int(np.sum((first == gold) & (second != gold)))
    only_second = int(np.sum((first != gold) & (second == gold)))
    return Paired(
        agreement=float(np.mean(first == second)),
        only_first=only_first,
        only_second=only_second,
        p_value=_sign_test(only_first, only_second),
    )


def _sign_test(first: int, second: int) -> float:
    """Two-sided exact binomial test of equal chances."""
    n, k = first + second, min(first, second)
    if n == 0:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) - n * math.log(2) for i in range(k + 1)]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))
