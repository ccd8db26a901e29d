"""The notes that a label run leaves in the store. Where they cannot be written, the run goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from store.errors import StoreError
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
