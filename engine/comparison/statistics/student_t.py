"""Student's t distribution: tail probabilities and quantiles, by the incomplete beta function. Pure Python."""

import math
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300
_EXACT = 1e-15
_TERMS = 100_000
_STEPS = 200


def two_sided_p(t: float, df: float) -> float:
    """The probability that |T| is at least |t|, for ``df`` degrees of freedom (any positive number)."""
    if math.isinf(t):
        return 0.0
    square = t * t
    return incomplete_beta(df / 2, 0.5, df / (df + square), square / (df + square))


@lru_cache(maxsize=4096)
def quantile(share: float, df: float) -> float:
    """The t below which ``share`` of the distribution lies; ``share`` from 0.5 to below 1.

    By Newton's method from the normal quantile, which is below it: the tail is convex, so that no step goes too far.
    """
    tail, t = 2 * (1 - share), NormalDist().inv_cdf(share)
    for _ in range(_STEPS):
        step = (two_sided_p(t, df) - tail) / (2 * density(t, df))
        if step <= _EXACT * t:
            break
        t += step
    return t


def density(t: float, df: float) -> float:
    """The density of Student's t distribution at ``t``."""
    logarithm = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(logarithm - (df + 1) / 2 * math.log1p(t * t / df))


def incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b); ``rest`` is 1 − x, given so that no digit of it is lost.

    By its continued fraction (DLMF 8.17.22), evaluated as Lentz does, on the side where it converges fast.
    """
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, rest, x)
    logarithm = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return min(1.0, math.exp(logarithm) * _continued_fraction(a, b, x) / a)


def _continued_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _EXACT:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
