"""A store → its contents in one record, as ``engine info`` prints them."""

from typing import Any

from store.families.registry import kind_of
from store.format.family import Family
from store.format.names import GOLD
from store.format.record import Record
from store.format.segments import SegmentRecord
from store.snapshot import Snapshot

_CARD = ("model", "encoding", "max_length", "dtype", "tokens_per_batch", "device")
_ANSWERS = "answers"


def summarise(snapshot: Snapshot) -> dict[str, Any]:
    """Rows, classes, inputs, families and rounds of gold of a store. Reads records, no data file."""
    snapshot = snapshot.memoised()
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
