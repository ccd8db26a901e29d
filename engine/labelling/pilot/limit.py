"""``--max-hours``: whether a run can still end in time. A clock, and nothing else."""

import time
from collections.abc import Callable

from engine.errors import LabellingError
from engine.labelling.pilot.forecast import Forecast
from engine.units import duration

_EARLY = 3  # shards: before, the speed of the run says less than the forecast


class TimeLimit:
    """The hours that a run may take, from its beginning: reading, loading and a pilot are among them.

    Args:
        hours: how many.
        clock: seconds, from any moment.
    """

    def __init__(self, hours: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.hours = hours
        self._clock = clock
        self._started = clock()
        self._worked = 0.0
        self._planned = self._low = 0.0

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._started

    def check(self, forecast: Forecast, *, begun: bool = True) -> None:
        """Refuse a run that cannot end in time, whatever luck it has; else remember when it begins to work.

        Args:
            forecast: of what is left.
            begun: whether the label set is begun, so that its settings are frozen.

        Raises:
            LabellingError: even the least that the forecast says is too long.
        """
        if self.spent + forecast.seconds_low > self.hours * 3600:
            stays = " What was committed stays." if begun else " Nothing was labelled."
            raise LabellingError(
                f"labelling the {forecast.rows:,} rows that are left will take {duration(forecast.seconds)} "
                f"({duration(forecast.seconds_low)} to {duration(forecast.seconds_high)}), {duration(self.spent)} are "
                f"spent already, and --max-hours is {self.hours:g}.{stays} {remedies(begun=begun)}"
            )
        self.begin()
        self._planned, self._low = forecast.seconds, forecast.seconds_low

    def begin(self) -> None:
        """Work begins now: the workers have loaded the model, and nothing that the forecast is of is done."""
        self._worked = self._clock()

    def follow(self, *, done: float, shards: int) -> None:
        """Stop a run that can no longer end in time.

        Args:
            done: part of the work that the forecast was of, from 0 to 1.
            shards: that it did of this.

        Raises:
            LabellingError: it cannot.
        """
        luck = self._low / self._planned if self._planned else 1.0
        left = 0.0
        if shards >= _EARLY and 0 < done < 1:
            left = (self._clock() - self._worked) * (1 / done - 1) * luck
        if done < 1 and self.spent + left > self.hours * 3600:
            more = f", and at least {duration(left)} more are needed" if left else ""
            raise LabellingError(
                f"{duration(self.spent)} are spent{more}: --max-hours is {self.hours:g}. {done:.0%} of the work was "
                "done, and what was committed stays: the same command goes on with the rest, if it may take longer. "
                f"{remedies(begun=True)}"
            )


def remedies(*, begun: bool) -> str:
    """How a run gets shorter.

    Args:
        begun: whether the label set has shards already, so that its settings cannot be changed.
    """
    others = "a smaller --max-length, or --dtype int8 on a CPU that has VNNI, fp8 on a GPU since Ada"
    others += ", under another --name" if begun else ""
    return (
        f"Allow more, or make it shorter: more --devices, or several machines with --worker 0/N to N-1/N; {others}; a "
        "smaller teacher; or fewer rows, in a store of their own"
    )
