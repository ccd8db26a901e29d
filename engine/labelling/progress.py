"""The course of a label run: what is done of it so far, by whichever worker."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.labelling.summary import ShardReport
from engine.progress import Tick
from store import Store
from store.errors import StoreError
from store.format.family import Family
from store.format.run_log import RunLog
from store.storage import Storage

_log = logging.getLogger("engine.labelling")


class Notes:
    """The notes of one run; see `store.format.run_log.RunLog`."""

    def __init__(self, storage: Storage, about: dict[str, Any]) -> None:
        self._log = RunLog(storage, about)

    def shard_done(self, family: str, shard: int, seconds: float) -> None:
        """Note that this run committed ``shard``."""
        with _forgiven():
            self._log.shard_done(family, shard, seconds)

    def finish(self, summary: dict[str, Any]) -> None:
        """Note what the run came to."""
        with _forgiven():
            self._log.finish(summary)


@contextmanager
def take_notes(storage: Storage, about: dict[str, Any]) -> Iterator[Notes]:
    """Notes that are written whatever ends the run; where it is stopped, they say by what."""
    notes = Notes(storage, about)
    try:
        yield notes
    except BaseException as error:
        notes.finish({"stopped_by": type(error).__name__})
        raise


@contextmanager
def _forgiven() -> Iterator[None]:
    try:
        yield
    except (OSError, StoreError) as error:
        _log.warning("the notes of this run could not be written: %s", error)


class Progress:
    """How far the run is: told of every shard and of every step, it tells the notes and the user.

    Attributes:
        reports: of the shards that this run labelled.
    """

    def __init__(self, store: Store, labels: Family, notes: Notes, tick: Tick) -> None:
        self.reports: list[ShardReport] = []
        self._store = store
        self._labels = labels
        self._notes = notes
        self._tick = tick
        self._rows = 0
        self._total: int | None = None
        self._started: float | None = None
        self._ended = 0.0

    def begin(self, shards: Sequence[int]) -> None:
        """Know how much there is."""
        self._total = sum(map(self._store.layout.rows_of, shards))

    def tick(self, _what: str, rows: int, _total: int | None) -> None:
        """``rows`` of the shards in hand are done. The first call starts the clock."""
        if self._started is None:
            self._started = time.perf_counter()
        self._tick("labelling", self._rows + rows, self._total)

    def done(self, shard: int, report: ShardReport | None) -> None:
        """``shard`` is committed."""
        self._rows += self._store.layout.rows_of(shard)
        self._ended = time.perf_counter()
        if report is None:
            return
        self.reports.append(report)
        if report.committed:
            self._notes.shard_done(self._labels.path, shard, report.seconds)

    def seconds(self) -> float:
        """From the first tick to the last shard that was done."""
        return 0.0 if self._started is None else max(0.0, self._ended - self._started)
