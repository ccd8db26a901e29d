"""Progress of a label run: a clock, the reports of its shards, its run log and the user's progress display."""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.labelling.pilot.forecast import Forecast, as_note
from engine.labelling.pilot.watch import Watch
from engine.labelling.summary import ShardReport
from engine.progress import Tick
from store import Store
from store.errors import StoreError
from store.format.family import Family
from store.format.run_log import RunLog

_log = logging.getLogger("engine.labelling")
_RECENT_SECONDS = 30.0
_SAMPLE_SECONDS = 1.0


class Progress:
    """Follows one run. A runner calls `tick` and `done`.

    Args:
        store: the store.
        labels: the label set.
        about: of the run, for its log.
        tick: called with rows done and rows in all.

    Attributes:
        reports: of the shards that this run labelled.
        watch: makes a forecast, or ends the run if it takes too long; None for neither.
        run_log: name of the run's notes in the store; None if they could not be written.
    """

    def __init__(self, store: Store, labels: Family, about: dict[str, Any], tick: Tick) -> None:
        self.reports: list[ShardReport] = []
        self.watch: Watch | None = None
        self.run_log: str | None = None
        self._store = store
        self._labels = labels
        self._run_log = RunLog(store.storage, about)
        self._tick = tick
        self._rows = 0
        self._total: int | None = None
        self._started: float | None = None
        self._begun = self._ended = 0.0
        self._recent = deque[tuple[float, int]]()

    def begin(self, shards: Sequence[int]) -> None:
        """Set the total: the run is to label ``shards``."""
        self._total = sum(map(self._store.layout.rows_of, shards))
        self._begun = time.perf_counter()
        with never_fatal():
            self._run_log.begin(self._total)
            self.run_log = self._run_log.name
        if self.watch is not None:
            self.watch.note = self._note_forecast
            if self.watch.forecast is not None:
                self._note_forecast(self.watch.forecast)

    def tick(self, _what: str, rows: int, _total: int | None) -> None:
        """``rows`` rows of the shards being labelled are done. The first call starts the clock."""
        if self._started is None:
            self._started = time.perf_counter()
        self._tick("labelling", self._rows + rows, self._total)
        self._note(self._rows + rows)
        if self.watch is not None:
            self.watch.tick()

    def done(self, shard: int, report: ShardReport | None) -> None:
        """``shard`` is committed; without a report if another run committed it."""
        self._rows += self._store.layout.rows_of(shard)
        self._ended = time.perf_counter()
        if self._started is None:  # a runner need not tick
            self._started = self._begun
        self._note(self._rows)
        if report is not None:
            self.reports.append(report)
            if report.committed:
                with never_fatal():
                    self._run_log.shard_done(self._labels.path, shard, report.seconds)
        if self.watch is not None:
            self.watch.done(self._labels, shard, report)

    def _note(self, rows: int) -> None:
        """Write now and then how far the run is, and how fast it was in the last `_RECENT_SECONDS`."""
        now = time.perf_counter()
        if self._recent and rows < self._recent[-1][1]:  # a shard is done again from its beginning
            self._recent.clear()
        if not self._recent or now - self._recent[-1][0] >= _SAMPLE_SECONDS:
            self._recent.append((now, rows))
        while len(self._recent) > 2 and now - self._recent[0][0] > _RECENT_SECONDS:
            self._recent.popleft()
        (then, before), rate = self._recent[0], None
        if rows > before and now > then:
            rate = (rows - before) / (now - then)
        with never_fatal():
            self._run_log.rows_done(rows, rate)

    def _note_forecast(self, forecast: Forecast) -> None:
        with never_fatal():
            self._run_log.forecast(as_note(forecast))

    def finish(self, summary: dict[str, Any]) -> None:
        """Write ``summary`` to the run log."""
        with never_fatal():
            self._run_log.finish(summary)

    def seconds(self) -> float:
        """From the first tick to the last shard that was done."""
        return 0.0 if self._started is None else max(0.0, self._ended - self._started)


@contextmanager
def follow_run(store: Store, labels: Family, about: dict[str, Any], tick: Tick) -> Iterator[Progress]:
    """The progress of a run. If an exception stops the run, the run log says which."""
    progress = Progress(store, labels, about, tick)
    try:
        yield progress
    except BaseException as error:
        progress.finish({"stopped_by": type(error).__name__})
        raise


@contextmanager
def never_fatal() -> Iterator[None]:
    """The run log is only notes: a failure to write it does not stop a run."""
    try:
        yield
    except (OSError, StoreError) as error:
        _log.warning("the notes of this run could not be written: %s", error)
