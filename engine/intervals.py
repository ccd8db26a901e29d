"""The interval of 95 % of a share. Pure Python."""

import math

SHARE = 0.975
"""Of a distribution, below the upper end of an interval of 95 %."""
Z = 1.959963984540054
"""The standard normal's quantile at `SHARE`."""


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Both ends of the interval of 95 % of ``share``, from 0 to 1, of so many rows (Wilson 1927).

    Rows of unequal weight are fewer (Kish 1965), and need be no whole number.
    """
    middle, spread = share * rows + Z**2 / 2, Z * math.sqrt(rows * share * (1 - share) + Z**2 / 4)
    return (middle - spread) / (rows + Z**2), (middle + spread) / (rows + Z**2)
