"""A store → its contents in one record, as ``engine info`` prints them."""

import time
from typing import Any

from store.families.registry import kind_of
from store.format.family import Family
from store.format.label_command import label_command
from store.format.names import CORPUS, GOLD, LABELS
from store.format.record import Record
from store.format.run_log import RunNotes, RunState, read_runs, started_at, state_of
from store.format.segments import SegmentRecord
from store.gold.held import OWN, OWN_SOURCE
from store.snapshot import Snapshot

_CARD = ("model", "encoding", "max_length", "dtype", "tokens_per_batch", "device")
_ANSWERS = "answers"


def summarise(snapshot: Snapshot) -> dict[str, Any]:
    """Rows, classes, inputs, families, rounds of gold and open label runs of a store. Reads records, no data file."""
    snapshot, runs = snapshot.memoised(), read_runs(snapshot.storage)
    header = snapshot.header
    families = [family for family in snapshot.families() if kind_of(family.path).is_laid_out]
    return {
        "store": snapshot.location,
        "format_version": header.version,
        "rows": snapshot.layout.rows,
        "rejected": header.rejected,
        "shards": snapshot.layout.shards,
        "classes": header.classes,
        "extras": header.kept,
        "inputs": [
            {name: entry[name] for name in ("path", "rows", "rejected", "size", "sha256")}
            for segment in header.segments
            for entry in segment.inputs
        ],
        "appended": [_summarise_segment(segment) for segment in header.appended],
        "families": [_summarise_family(family) for family in families],
        "gold": [
            *_own_gold(snapshot),
            *(_summarise_round(record) for record in snapshot.family(GOLD).records().values()),
        ],
        "runs": [summarise_run(snapshot, run) for run in _open_runs(snapshot, runs)],
        "forecasts": _forecasts(snapshot, runs),
    }


def _open_runs(snapshot: Snapshot, runs: list[RunNotes]) -> list[RunNotes]:
    """Runs that go on, and of each label set, and the corpus, that is unfinished and that none writes, the last one."""
    open_runs: list[RunNotes] = []
    last: dict[str, RunNotes] = {}
    for run in runs:
        if (path := _writes(run)) is None or "updated" not in run:  # an earlier version's: it says not where it is
            continue
        last[path] = run
        if state_of(snapshot.storage, run).is_alive:
            open_runs.append(run)
    written = {_writes(run) for run in open_runs}
    others = [CORPUS, *(f"{LABELS}/{name}" for name in snapshot.label_sets())]
    return open_runs + [
        last[path] for path in others if path in set(last) - written and snapshot.family(path).missing()
    ]


def _writes(run: RunNotes) -> str | None:
    """The path of the family that a run writes; None if its notes do not say."""
    if "stage" in run:
        return CORPUS
    return f"{LABELS}/{run['label_set']}" if "label_set" in run else None


def _forecasts(snapshot: Snapshot, runs: list[RunNotes]) -> list[dict[str, Any]]:
    """The last forecast of each label set, and how long the run took after it, if it came to its end."""
    last: dict[str, RunNotes] = {}
    for run in runs:
        if run.get("label_set") is not None and "forecast" in run:
            last[str(run.get("label_set"))] = run
    forecasts = []
    for name in sorted(set(last) & set(snapshot.label_sets())):
        noted, is_finished = last[name]["forecast"], state_of(snapshot.storage, last[name]) is RunState.FINISHED
        took = round(last[name].get("updated", 0.0) - noted["made"], 1) if is_finished else None
        fields = {field: value for field, value in noted.items() if field != "made"}
        forecasts.append({"label_set": name, "took": took, **fields})
    return forecasts


def summarise_run(snapshot: Snapshot, run: RunNotes) -> dict[str, Any]:
    """How far a label run is, in rows of its part of the store; its speed is that of the last half minute.

    Of a run that has ended, the rows that it committed: others that it had computed are lost.
    """
    state, rate = state_of(snapshot.storage, run), run.get("rows_per_second")
    rows, done = run.get("rows") or 0, run.get("rows_done", 0) if state.is_alive else _committed(snapshot, run)
    worker = run.get("worker")
    started = started_at(run)
    return {
        "label_set": run.get("label_set"),
        "again": run.get("again") or label_command(snapshot.storage, _writes(run) or CORPUS),
        "stage": run.get("stage", "labelling"),
        "worker": None if worker is None else "/".join(map(str, worker)),
        "state": str(state),
        "rows_done": done,
        "rows": rows,
        "rows_per_second": rate if state.is_alive else None,
        "seconds_left": round((rows - done) / rate) if rate and rows and state.is_alive else None,
        "shards_done": len(run.get("shards", ())),
        "devices": run.get("devices", []),
        "machine": run.get("machine"),
        "process": run.get("process"),
        "started": None if started is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "silent_seconds": round(max(0.0, time.time() - run.get("updated", 0.0))),
        "stopped_by": (run.get("summary") or {}).get("stopped_by"),
    }


def _committed(snapshot: Snapshot, run: RunNotes) -> int:
    """Rows that ``run``, which has ended, committed; of one that wrote the corpus, those that are there."""
    if _writes(run) == CORPUS:
        return sum(record.rows for record in snapshot.corpus.records().values())
    return sum(snapshot.layout.rows_of(note["shard"]) for note in run.get("shards", ()))


def _summarise_segment(segment: SegmentRecord) -> dict[str, Any]:
    names = ("segment", "first_row", "rows", "first_shard", "shards")
    files = [entry["path"] for entry in segment.inputs]
    return {**{name: getattr(segment, name) for name in names}, "rejected": segment.rejects["rows"], "files": files}


def _own_gold(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Round 0: the labels that the corpus was made with; nothing if it has none."""
    rows = sum(record.statistics.get("gold", 0) for record in snapshot.corpus.records().values())
    return [{"round": OWN, "rows": rows, "sources": [OWN_SOURCE], "sha256": None}] if rows else []


def _summarise_round(record: Record) -> dict[str, Any]:
    sources = list(record.statistics.get("sources", ()))
    return {"round": record.shard, "rows": record.rows, "sources": sources, "sha256": record.sha256}


def _summarise_family(family: Family) -> dict[str, Any]:
    records = family.records().values()
    card = family.card() or {}
    files = [file["path"] for file in (card.get(_ANSWERS) or {}).get("files", ())]
    return {
        "family": family.path,
        "shards": len(records),
        "of": family.shards,
        "sealed": family.is_sealed(),
        "rows": sum(record.rows for record in records),
        "failed": sum(record.statistics.get("failed", 0) for record in records),
        "bytes": sum(record.bytes for record in records),
        **{name: card.get(name) for name in _CARD},
        _ANSWERS: files or None,
        "again": label_command(family.storage, family.path) if len(records) < family.shards else None,
    }
