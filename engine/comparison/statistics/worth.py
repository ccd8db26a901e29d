"""How many labels direct training would need for what distilling gives: N*, its interval, and a price.

The interval is found by test inversion (Fieller 1954): a number of labels is in it if a test cannot tell the line's
error there from the distilled student's. It may have no upper end: then the data do not say one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from engine.comparison.prices import Prices
from engine.comparison.results import DISTILLED, Results
from engine.comparison.statistics.arms import device_seconds
from engine.comparison.statistics.error_curve import ErrorCurve

TRUSTED = 2
"""So many times the most labels measured is as far as the line is believed."""
_FAR = 1_000
_STEP = 0.1
_HALVINGS = 40
_LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What distilling is worth, in labels.

    Attributes:
        labels: n, that the distilled student's teacher saw.
        sizes: labels of direct training that the line goes through.
        slope: b of log error = a − b log labels.
        equal: N*, labels with which direct training is as good; None if its error does not fall with labels, or too
            slowly for a number to be computed.
        low: end of the 95 % interval of N*; None if there is none above one label.
        high: the other end; None if the data do not say one.
        interpolated: N* between neighbouring sizes, without the line; None outside of them.
        seeds: that all arms have; with one seed the interval is that of these models.
        break_even: price of a label above which distilling is the cheaper way to N*; None without a price of a device.
        break_even_low: at the upper end of the interval; 0 where there is none.
        break_even_high: at the lower end; None if distilling might save no label.
    """

    labels: int
    sizes: tuple[int, ...]
    slope: float
    equal: float | None
    low: float | None
    high: float | None
    interpolated: float | None
    seeds: tuple[int, ...]
    break_even: float | None = None
    break_even_low: float | None = None
    break_even_high: float | None = None

    @property
    def trusted(self) -> int:
        """The labels beyond which nothing but "more" is said."""
        return TRUSTED * self.sizes[-1]

    @property
    def extrapolated(self) -> bool:
        """Whether N* is beyond the most labels measured, or below the fewest."""
        return self.equal is not None and not self.sizes[0] <= self.equal <= self.sizes[-1]


def label_worth(results: Results, curve: ErrorCurve, prices: Prices) -> Worth:
    """N* of ``curve``, which was fitted to ``results``."""
    equal: float | None = curve.labels_at(curve.distilled)
    low, high = interval(curve, equal or 1.0)
    if curve.slope <= 0 or equal == math.inf:
        equal, low, high = None, None, None
    worth = Worth(
        labels=curve.labels,
        sizes=curve.sizes,
        slope=curve.slope,
        equal=equal,
        low=low,
        high=high,
        interpolated=curve.interpolated(),
        seeds=curve.seeds,
    )
    if prices.device_hour is None or equal is None or equal <= curve.labels:
        return worth
    spent = prices.cost(0, device_seconds(results, results.main(DISTILLED)))
    least = (low or 0.0) - curve.labels
    return Worth(
        **{
            **vars(worth),
            "break_even": spent / (equal - curve.labels),
            "break_even_low": 0.0 if high is None else spent / (high - curve.labels),
            "break_even_high": spent / least if least > 0 else None,
        }
    )


def interval(curve: ErrorCurve, equal: float) -> tuple[float | None, float | None]:
    """The ends of the 95 % interval of N*, around ``equal``.

    None stands for an end that is not between one label and `_FAR` times the largest size.
    """
    last = math.log(_FAR * curve.sizes[-1])
    middle = min(last, max(0.0, math.log(equal)))
    beyond = equal > math.exp(last)

    def within(logarithm: float) -> bool:
        return curve.p_equal(math.exp(logarithm)) >= _LEVEL

    return _end(within, middle, 0.0), None if beyond else _end(within, middle, last)


def _end(within: Callable[[float], bool], inside: float, last: float) -> float | None:
    """Where ``within`` ends on the way from ``inside`` to ``last``, as labels; None if it does not."""
    step = math.copysign(_STEP, last - inside)
    near, far = inside, inside
    while within(far):
        near, far = far, far + step
        if (far - last) * step >= 0:
            return None
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if within(middle) else (near, middle)
    return math.exp(near)
