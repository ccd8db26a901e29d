"""Measurements of each run: seconds a shard, rows a second. Kept beside the families, which stay the same bytes.

A run writes one file, ``runs/<when>-<random>.json``, again and again while it works; a kill loses its last seconds
of notes and nothing else. As long as it lives it holds an empty temporary file, so that others can tell.
"""

import calendar
import contextlib
import enum
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NotRequired, TypedDict

from store.errors import DamageError, MismatchError, StoreMissingError
from store.format.decode import decode
from store.format.json_file import from_json, to_json
from store.storage import THIS_MACHINE, Staged, Storage

RUNS = "runs"
SILENT_SECONDS = 120.0
"""A run on another machine that has written nothing for so long is taken for dead; a batch takes less."""
_FLUSH_SECONDS = 10.0
_STARTED = "%Y%m%dT%H%M%SZ"


class RunLog:
    """The notes of one run.

    Args:
        storage: of the store.
        about: what the run is: command, label set, device and the like.

    Attributes:
        name: of its file.
    """

    def __init__(self, storage: Storage, about: dict[str, Any]) -> None:
        started = time.strftime(_STARTED, time.gmtime())
        self._storage = storage
        self.name = f"{RUNS}/{started}-{uuid.uuid4().hex[:8]}.json"
        self._content: dict[str, Any] = {**about, "started": started, "shards": [], "summary": None}
        self._flushed = time.monotonic()
        self._life: Staged | None = None

    def begin(self, rows: int | None) -> None:
        """Note that the run is to do ``rows`` rows, None if that is not known, and begin to show that it lives."""
        self._life = self._storage.stage()
        process = {"machine": THIS_MACHINE, "process": os.getpid(), "alive": self._life.name}
        self._content |= {**process, "rows": rows, "rows_done": 0, "rows_per_second": None}
        self._flush()

    def stage(self, what: str, done: int, rows: int | None) -> None:
        """Note what the run does now, which is not labelling: rows done, of how many; None if that is not known."""
        self._content |= {"stage": what, "rows": rows, "rows_done": done, "rows_per_second": None}
        self._flush()

    def rows_done(self, rows: int, rows_per_second: float | None) -> None:
        """Note how many rows are done, those of unfinished shards included, and the speed of the last seconds."""
        self._content["rows_done"] = rows
        self._content["rows_per_second"] = None if rows_per_second is None else round(rows_per_second, 1)
        self._flush_now_and_then()

    def shard_done(self, family: str, shard: int, seconds: float) -> None:
        """Note that this run committed ``shard`` of the family at path ``family`` and what it took."""
        self._content["shards"].append({"family": family, "shard": shard, "seconds": round(seconds, 4)})
        self._flush_now_and_then()

    def forecast(self, forecast: dict[str, Any]) -> None:
        """Note what a pilot lets expect of the run."""
        self._content["forecast"] = {"made": round(time.time(), 1), **forecast}
        self._flush()

    def finish(self, summary: dict[str, Any]) -> None:
        """Note what the whole run came to."""
        self._content["summary"] = summary
        try:
            self._flush()
        finally:
            if self._life is not None:
                self._life.discard()

    def drop(self) -> None:
        """Finish, and take the notes away, where the storage can: what the run did is to be seen without them."""
        self.finish({})
        self._storage.remove_dead(self.name)

    def _flush_now_and_then(self) -> None:
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        self._flushed = time.monotonic()  # also where it fails: not to try again with every row
        self._content["updated"] = round(time.time(), 1)
        self._storage.put(self.name, to_json(self._content))


def check_run_is_here(storage: Storage, name: str) -> None:
    """Refuse a store that is not the one of the run whose notes are the file ``name``, but only lies where it does.

    Raises:
        MismatchError: it has no such file, or there is no store.
    """
    try:
        storage.read(name)
    except StoreMissingError:
        raise MismatchError(
            f"{storage.location} is not the store that this run was started on: it has no {name}. Every machine must "
            "see the same folder there, as on a network disk, or label a store on an object store"
        ) from None


class ShardNote(TypedDict):
    """A shard that a run committed, and the seconds it took."""

    family: str
    shard: int
    seconds: float


class ForecastNote(TypedDict):
    """What a pilot let expect of the rest of a run, when it was made; it has more fields, which only people read."""

    made: float
    rows: int
    seconds: float
    seconds_low: float
    seconds_high: float
    disk_bytes: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None


class RunNotes(TypedDict):
    """The notes of one run, besides its start. Those that earlier versions did not write may be absent."""

    started: str
    command: NotRequired[str]
    label_set: NotRequired[str]
    card: NotRequired[dict[str, Any]]
    teacher_files: NotRequired[str | None]
    again: NotRequired[str]
    stage: NotRequired[str]
    worker: NotRequired[list[int] | None]
    devices: NotRequired[list[str]]
    machine: NotRequired[str]
    process: NotRequired[int]
    alive: NotRequired[str | None]
    updated: NotRequired[float]
    rows: NotRequired[int | None]
    rows_done: NotRequired[int]
    rows_per_second: NotRequired[float | None]
    shards: NotRequired[list[ShardNote]]
    forecast: NotRequired[ForecastNote]
    summary: NotRequired[dict[str, Any] | None]


class RunState(enum.StrEnum):
    """What has become of a run."""

    FINISHED = "finished"
    STOPPED = "stopped"
    """By an error or a signal, which it noted."""
    RUNNING = "running"
    SILENT = "silent"
    """It lives, and has written nothing for `SILENT_SECONDS`."""
    DEAD = "dead"
    """It ended without a note: it was killed. Or it is on another machine, and has written nothing for so long."""
    UNKNOWN = "unknown"
    """Not finished, and of a version that did not note whether it lives."""

    @property
    def is_alive(self) -> bool:
        """Whether the run may go on writing."""
        return self in (RunState.RUNNING, RunState.SILENT)


def state_of(storage: Storage, run: RunNotes) -> RunState:
    """What has become of ``run``."""
    summary, updated = run.get("summary"), run.get("updated")
    if summary is not None:
        return RunState.STOPPED if "stopped_by" in summary else RunState.FINISHED
    if updated is None:
        return RunState.UNKNOWN
    life = run.get("alive")
    lives = None if life is None else storage.has_writer(life)
    is_silent = time.time() - updated > SILENT_SECONDS
    if lives is False or (lives is None and is_silent):
        return RunState.DEAD
    return RunState.SILENT if is_silent else RunState.RUNNING


def started_at(run: RunNotes) -> float | None:
    """When ``run`` began, in seconds since 1970, rounded down; None if its notes do not say."""
    try:
        return calendar.timegm(time.strptime(run["started"], _STARTED))
    except ValueError:
        return None


def read_runs(storage: Storage) -> list[RunNotes]:
    """Every run's notes, by the second in which they began. They are notes: what is damaged is passed over."""
    return list(_read_each(storage, storage.list(RUNS)))


def newest_runs(storage: Storage, most: int) -> Iterator[RunNotes]:
    """As `read_runs`, but the newest first, and no more than ``most``; each is read when it is asked for."""
    yield from _read_each(storage, storage.list(RUNS)[: -most - 1 : -1])


def _read_each(storage: Storage, names: Iterable[str]) -> Iterator[RunNotes]:
    for name in names:
        with contextlib.suppress(DamageError):
            place = f"{RUNS}/{name}"
            yield decode(RunNotes, from_json(storage, place), place=f"{storage.location}/{place}")


def run_at_work(storage: Storage) -> str:
    """The run that makes the store at ``storage``, or was killed while it did, as ``: …``; empty if none left notes."""
    at_work = [run for run in read_runs(storage) if "stage" in run]
    alive = [run for run in at_work if state_of(storage, run).is_alive]
    if not at_work:
        return ""
    run = (alive or at_work)[-1]
    who = f"process {run.get('process')} on {run.get('machine')}, begun at {run['started']}"
    if not alive:
        way = f"`{run['again']}` goes on" if "again" in run else "Run the same `engine label` again"
        return f": {who}, was killed while it made it. {way}"
    done, pace = run.get("rows_done", 0), run.get("rows_per_second")
    far = f", {done:,} rows so far" if done else ""
    speed = f", {pace:,.0f} a second" if pace else ""
    return f": {who}, makes it ({run.get('stage')}{far}{speed}). Run this again when it has read its inputs"


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
