"""How many annotators gave each class to each row → how far they agree, beyond what chance gives.

- Krippendorff's α, nominal, with missing answers: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011),
  section C: from the coincidences o_cc = Σ_u n_uc (n_uc - 1) / (m_u - 1) of the units u that m_u ≥ 2 annotators judged,
  α = ((n - 1) Σ_c o_cc - Σ_c n_c (n_c - 1)) / (n (n - 1) - Σ_c n_c (n_c - 1)).
- Fleiss' κ, where each unit has the same number m of answers: J. L. Fleiss, "Measuring nominal scale agreement among
  many raters", Psychological Bulletin 76 (1971): P_u = Σ_c n_uc (n_uc - 1) / (m (m - 1)), p_c = Σ_u n_uc / (N m),
  κ = (mean P_u - Σ_c p_c²) / (1 - Σ_c p_c²).

Both are 1 where all agree, 0 where they agree as often as by chance, and undefined where one class is all there is.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[Any]
"""(units, classes) how many annotators gave each class to each unit."""


class Agreement:
    """Takes in units, some at a time.

    Args:
        classes: how many there are.
    """

    def __init__(self, classes: int) -> None:
        self._coincident = 0.0  # Σ_u Σ_c n_uc (n_uc - 1) / (m_u - 1)
        self._paired = np.zeros(classes, np.int64)  # n_c
        self._answers = np.zeros(classes, np.int64)  # also of units with one answer
        self._agreeing = 0  # Σ_u Σ_c n_uc (n_uc - 1)
        self._units = 0
        self._raters: set[int] = set()

    def add(self, counts: Counts) -> None:
        """Take in units; those without an answer say nothing."""
        counts = counts.astype(np.int64)
        totals = counts.sum(axis=1)
        counts, totals = counts[totals > 0], totals[totals > 0]
        pairs = (counts * (counts - 1)).sum(axis=1)
        several = totals > 1
        self._coincident += float((pairs[several] / (totals[several] - 1)).sum())
        self._paired += counts[several].sum(axis=0)
        self._answers += counts.sum(axis=0)
        self._agreeing += int(pairs.sum())
        self._units += len(counts)
        self._raters |= set(np.unique(totals).tolist())

    @property
    def alpha(self) -> float | None:
        """Krippendorff's α; None where it is undefined."""
        n = int(self._paired.sum())
        by_chance = float((self._paired * (self._paired - 1)).sum())
        if n * (n - 1) == by_chance:
            return None
        return ((n - 1) * self._coincident - by_chance) / (n * (n - 1) - by_chance)

    @property
    def kappa(self) -> float | None:
        """Fleiss' κ; None where units have different numbers of answers, or it is undefined."""
        raters = next(iter(self._raters), 0)
        if len(self._raters) != 1 or raters < 2:
            return None
        shares = self._answers / (self._units * raters)
        by_chance = float((shares**2).sum())
        if np.count_nonzero(self._answers) == 1:
            return None
        observed = self._agreeing / (self._units * raters * (raters - 1))
        return (observed - by_chance) / (1 - by_chance)


def krippendorff_alpha(counts: Counts) -> float | None:
    """Krippendorff's nominal α of ``counts``; None where it is undefined."""
    agreement = Agreement(counts.shape[1])
    agreement.add(counts)
    return agreement.alpha


def fleiss_kappa(counts: Counts) -> float | None:
    """Fleiss' κ of ``counts``; None where units have different numbers of answers, or it is undefined."""
    agreement = Agreement(counts.shape[1])
    agreement.add(counts)
    return agreement.kappa
