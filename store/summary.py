"""A store → its contents in one record, as ``engine info`` prints them."""

import time
from typing import Any

from store.families.registry import kind_of
from store.format.family import Family
from store.format.names import GOLD
from store.format.record import Record
from store.format.run_log import RunNotes, RunState, read_runs, started_at, state_of
from store.format.segments import SegmentRecord
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
        "gold": [_summarise_round(record) for record in snapshot.family(GOLD).records().values()],
        "runs": [summarise_run(snapshot, run) for run in _open_runs(snapshot, runs)],
        "forecasts": _forecasts(snapshot, runs),
    }


def _open_runs(snapshot: Snapshot, runs: list[RunNotes]) -> list[RunNotes]:
    """Label runs that go on, and of each label set that is not finished and that none labels, the last one."""
    open_runs: list[RunNotes] = []
    last: dict[str, RunNotes] = {}
    for run in runs:
        label_set = run.get("label_set")
        if label_set is None or "updated" not in run:  # an earlier version's, which does not say where it is
            continue
        last[label_set] = run
        if state_of(snapshot.storage, run).is_alive:
            open_runs.append(run)
    labelled = {run.get("label_set") for run in open_runs}
    others = [name for name in snapshot.label_sets() if name in last and name not in labelled]
    return open_runs + [last[name] for name in others if snapshot.label_set(name).missing()]


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
    """How far a label run is, in rows of its part of the store; its speed is that of the last half minute."""
    state, rows, done, rate = (
        state_of(snapshot.storage, run), run.get("rows", 0), run.get("rows_done", 0), run.get("rows_per_second")
    )  # fmt: skip
    started = started_at(run)
    return {
        "label_set": run.get("label_set"),
        "state": str(state),
        "rows_done": done,
        "rows": rows,
        "rows_per_second": rate if state.is_alive else None,
        "seconds_left": round((rows - done) / rate) if rate and state.is_alive else None,
        "shards_done": len(run.get("shards", ())),
        "devices": run.get("devices", []),
        "machine": run.get("machine"),
        "process": run.get("process"),
        "started": None if started is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "silent_seconds": round(max(0.0, time.time() - run.get("updated", 0.0))),
        "stopped_by": (run.get("summary") or {}).get("stopped_by"),
    }


def _summarise_segment(segment: SegmentRecord) -> dict[str, Any]:
    names = ("segment", "first_row", "rows", "first_shard", "shards")
    files = [entry["path"] for entry in segment.inputs]
    return {**{name: getattr(segment, name) for name in names}, "rejected": segment.rejects["rows"], "files": files}


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
    }
