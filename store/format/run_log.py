"""Measurements of each run: seconds a shard, rows a second. Kept beside the families, which stay the same bytes.

A run writes one file, ``runs/<when>-<random>.json``, again and again while it works; a kill loses its last seconds
of notes and nothing else.
"""

import calendar
import contextlib
import time
import uuid
from typing import Any, NotRequired, TypedDict

from store.errors import DamageError
from store.format.decode import decode
from store.format.json_file import from_json, to_json
from store.storage import Storage

RUNS = "runs"
_FLUSH_SECONDS = 10.0
_STARTED = "%Y%m%dT%H%M%SZ"


class RunLog:
    """The notes of one run.

    Args:
        storage: of the store.
        about: what the run is: command, label set, device and the like.
    """

    def __init__(self, storage: Storage, about: dict[str, Any]) -> None:
        started = time.strftime(_STARTED, time.gmtime())
        self._storage = storage
        self._name = f"{RUNS}/{started}-{uuid.uuid4().hex[:8]}.json"
        self._content: dict[str, Any] = {**about, "started": started, "shards": [], "summary": None}
        self._flushed = time.monotonic()

    def shard_done(self, family: str, shard: int, seconds: float) -> None:
        """Note that this run committed ``shard`` of the family at path ``family`` and what it took."""
        self._content["shards"].append({"family": family, "shard": shard, "seconds": round(seconds, 4)})
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def finish(self, summary: dict[str, Any]) -> None:
        """Note what the whole run came to."""
        self._content["summary"] = summary
        self._flush()

    def _flush(self) -> None:
        self._storage.put(self._name, to_json(self._content))
        self._flushed = time.monotonic()


class ShardNote(TypedDict):
    """A shard that a run committed, and the seconds it took."""

    family: str
    shard: int
    seconds: float


class RunNotes(TypedDict):
    """The notes of one run, besides its start."""

    started: str
    shards: NotRequired[list[ShardNote]]
    summary: NotRequired[dict[str, Any] | None]


def read_runs(storage: Storage) -> list[RunNotes]:
    """Every run's notes, by the second in which they began. They are notes: what is damaged is passed over."""
    runs = []
    for name in storage.list(RUNS):
        with contextlib.suppress(DamageError):
            place = f"{RUNS}/{name}"
            runs.append(decode(RunNotes, from_json(storage, place), place=f"{storage.location}/{place}"))
    return runs


def first_start(storage: Storage) -> float | None:
    """When the first run that left notes began, in seconds since 1970, rounded down; None if none did."""
    starts = []
    for name in storage.list(RUNS):
        with contextlib.suppress(ValueError):
            starts.append(calendar.timegm(time.strptime(name.split("-")[0], _STARTED)))
    return min(starts, default=None)


def shard_seconds(storage: Storage) -> dict[tuple[str, int], float]:
    """Seconds that each shard took in the run that committed it, by family path and shard; unknown ones are absent."""
    shards = (shard for run in read_runs(storage) for shard in run.get("shards", []))
    return {(shard["family"], shard["shard"]): shard["seconds"] for shard in shards}
