"""Follows a label run: the pilot's shards come first, then the forecast is made; and a run that takes too long ends."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.labelling.pilot.estimate import Values
from engine.labelling.pilot.forecast import Forecast, sentence
from engine.labelling.pilot.limit import TimeLimit
from engine.labelling.summary import ShardReport
from store.format.family import Family

_log = logging.getLogger("engine.labelling")
Tell = Callable[[Forecast], None]


def unheard(_: Forecast) -> None:
    """Tell nobody."""


@dataclass(kw_only=True)
class Watch:
    """What a run does beside labelling.

    Attributes:
        pilot: shards that are labelled first.
        predict: makes the forecast of what is left, and the seconds of each shard by its number, from the label set and
            the reports of the pilot's shards.
        limit: of time; None without one.
        tell: told of the forecast.
        note: told of it first, so that it is noted with the run even if it ends it.
        forecast: the forecast; None until it is made.
        weights: seconds that it expects of each shard, by its number.
    """

    pilot: Sequence[int] = ()
    predict: Callable[[Family, list[ShardReport]], tuple[Forecast, dict[int, float]]] | None = None
    limit: TimeLimit | None = None
    tell: Tell = unheard
    note: Tell = unheard
    forecast: Forecast | None = None
    weights: dict[int, float] = field(default_factory=dict)
    _reports: list[ShardReport] = field(default_factory=list)
    _waits: set[int] = field(default_factory=set)
    _followed: set[int] = field(default_factory=set)
    _is_begun: bool = False

    def order(self, shards: Sequence[int]) -> list[int]:
        """``shards``, those of the pilot first."""
        there, first = set(shards), set(self.pilot)
        self._waits = first & there
        return [shard for shard in self.pilot if shard in there] + [shard for shard in shards if shard not in first]

    def done(self, labels: Family, shard: int, report: ShardReport | None) -> None:
        """``shard`` is committed.

        Raises:
            LabellingError: the run cannot end in time.
        """
        if shard in self._waits:
            self._waits.discard(shard)
            if report is not None:
                self._reports.append(report)
            if not self._waits and self.predict is not None and self._reports:
                self._predict(labels)
        elif self.forecast is not None:
            self._followed.add(shard)
        self._follow()

    def tick(self) -> None:
        """Time passes; the first call says that the first worker has loaded the model.

        Raises:
            LabellingError: the run cannot end in time.
        """
        if not self._is_begun:
            self._is_begun = True
            if self.limit is not None and self.forecast is not None:
                self.limit.begin()
        if self.limit is not None and self.limit.spent > self.limit.hours * 3600:
            self._follow()

    def _predict(self, labels: Family) -> None:
        assert self.predict is not None, "it was asked before"
        self.forecast, self.weights = self.predict(labels, self._reports)
        _log.info("%s", sentence(self.forecast))
        self.note(self.forecast)
        self.tell(self.forecast)
        if self.limit is not None and self.weights:
            self.limit.check(self.forecast)

    def _follow(self) -> None:
        if self.limit is None:
            return
        total = sum(self.weights.values())
        done = sum(self.weights.get(shard, 0.0) for shard in self._followed)
        self.limit.follow(done=done / total if total else 0.0, shards=len(self._followed))


def weights_of(shards: Sequence[int] | np.ndarray, seconds: Values) -> dict[int, float]:
    """Seconds of each shard by its number."""
    return {int(shard): float(taken) for shard, taken in zip(shards, seconds, strict=True)}
