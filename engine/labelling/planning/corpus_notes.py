"""Notes of a run that reads its inputs into the corpus: others can tell that it lives, and how far it is.

They are gone when the corpus is there, which says for itself what was done; what a kill or an error leaves of them says
why it is not.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.labelling.progress import never_fatal
from engine.progress import Tick
from store.format.header import is_store
from store.format.run_log import RunLog
from store.storage import Storage

_BEGUN = "opening the inputs"


@contextmanager
def noted(storage: Storage, tick: Tick, *, again: str | None = None) -> Iterator[Tick]:
    """``tick``, which also notes what it is told in the store; from the first call, or at once if there is no store.

    Args:
        storage: of the store.
        tick: as it is called else.
        again: the command that goes on where this run is stopped, if that is known.
    """
    notes = _CorpusNotes(storage, again)
    if not is_store(storage):
        notes.enter(_BEGUN, 0, None)

    def both(what: str, done: int, total: int | None) -> None:
        tick(what, done, total)
        notes.tick(what, done, total)

    try:
        yield both
    except BaseException as error:
        notes.leave(type(error).__name__ if is_store(storage) else None)
        raise
    notes.leave(None)


class _CorpusNotes:
    """The notes of one run, which begin with its first stage."""

    def __init__(self, storage: Storage, again: str | None) -> None:
        self._storage = storage
        self._about = {"command": "label"} | ({} if again is None else {"again": again})
        self._log: RunLog | None = None
        self._stage = ""
        self._begun = (0.0, 0)

    def enter(self, stage: str, done: int, rows: int | None) -> None:
        """Note that ``stage`` begins, of so many rows."""
        with never_fatal():
            if self._log is None:
                self._log = RunLog(self._storage, self._about)
                self._log.begin(rows)
            self._log.stage(stage, done, rows)

    def tick(self, what: str, done: int, total: int | None) -> None:
        """Note how far the stage ``what`` is."""
        now = time.perf_counter()
        if what != self._stage:
            self._stage, self._begun = what, (now, done)
            self.enter(what, done, total)
        (then, before), pace = self._begun, None
        if done > before and now > then:
            pace = (done - before) / (now - then)
        with never_fatal():
            if self._log is not None:
                self._log.rows_done(done, pace)

    def leave(self, stopped_by: str | None) -> None:
        """Note what stopped the run; without that, take its notes away."""
        with never_fatal():
            if self._log is not None and stopped_by is None:
                self._log.drop()
            elif self._log is not None:
                self._log.finish({"stopped_by": stopped_by})
