"""What labels and devices cost, in any one currency."""

import math
from dataclasses import dataclass

from engine.errors import InputError

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices, as far as they are known.

    Attributes:
        device_hour: of one hour of one device; None if it is not known.
        label: of one gold label; likewise.

    Raises:
        InputError: a price is negative or no number.
    """

    device_hour: float | None = None
    label: float | None = None

    def __post_init__(self) -> None:
        for flag, price in (("--price-device-hour", self.device_hour), ("--price-label", self.label)):
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise InputError(f"{flag} is {price:g}; give a price of 0 or more")

    @property
    def known(self) -> bool:
        """Whether any is."""
        return self.device_hour is not None or self.label is not None

    def cost(self, labels: int, seconds: float) -> float:
        """Of ``labels`` gold labels and ``seconds`` of a device; what has no price costs nothing."""
        return labels * (self.label or 0.0) + seconds / _HOUR * (self.device_hour or 0.0)


UNKNOWN = Prices()
