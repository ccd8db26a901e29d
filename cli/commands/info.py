"""``engine info``."""

from typing import Any

import click

from cli.options.shared import format_option
from cli.output import print_rows, print_summary, print_title, shows_tables
from engine.units import duration, size

Row = dict[str, Any]

_SECTIONS = {
    "inputs": "input",
    "appended": "segment",
    "families": "family",
    "gold": "gold",
    "runs": "run",
    "forecasts": "forecast",
}
_MOST_INPUTS = 20
_MOST_FILES = 3
_NO_LABEL_SET = "corpus"
_LABELS = "labels/"
_RUN_NOTES = {
    "running": "it said so {ago} ago",
    "silent": "its process lives, and has written nothing for {ago}: it may hang",
    "dead": "it was killed; its last note is {ago} old. `{again}` goes on",
    "stopped": "it was stopped ({stopped_by}). `{again}` goes on",
    "finished": "it labelled all rows that there were; some were appended since. `{again}` labels them",
    "part": "it did its part ({worker}). For the shards that are missing, run the other parts, or all: `{again}`",
}


@click.command("info")
@click.argument("store", metavar="STORE")
@format_option
def command(**options: Any) -> None:
    """Describe a store: its rows, classes, inputs and families.

    Of each family it says how many shards are complete; then what was appended, and the rounds of gold. Of a label run
    that goes on, it says how far it is, its speed in the last half minute and the time that is left. Of the last pilot
    of a label set, it says what it forecast, and how long the run took after it.

    In a pipe each line is a JSON object with what it is about: the store, an input, a segment, a family, a round of
    gold, a run, a forecast.

    \b
    Example:
      engine info reviews.store
      engine info reviews.store | jq 'select(.about == "run")'
    """
    import store
    from store.summary import summarise

    format_ = options["format"]
    summary = summarise(store.open(options["store"]))
    if format_ == "json":
        print_rows([summary], format_)
    elif shows_tables(format_):
        _print_tables(summary, format_)
    elif format_ == "csv":
        print_rows(_cells(summary), format_, columns=["about", "number", "field", "value"])
    else:
        print_rows(_records(summary), format_)


def _records(summary: Row) -> list[Row]:
    """A flat record for each thing."""
    about_store = {name: value for name, value in summary.items() if name not in _SECTIONS}
    records = [{"about": "store", **about_store}]
    for section, about in _SECTIONS.items():
        records += [{"about": about, **row} for row in summary[section]]
    return records


def _cells(summary: Row) -> list[Row]:
    """A row for each field of each thing."""
    numbers: dict[str, int] = {}
    cells = []
    for record in _records(summary):
        about = record.pop("about")
        numbers[about] = numbers.get(about, 0) + 1
        cells += [
            {"about": about, "number": numbers[about], "field": field, "value": value}
            for field, value in record.items()
        ]
    return cells


# for people


def _print_tables(summary: Row, format_: str | None) -> None:
    header = {
        "store": summary["store"],
        "rows": f"{summary['rows']:,} in {summary['shards']:,} shards; {summary['rejected']:,} rejected",
        "classes": _listed(summary["classes"]),
        "kept columns": _listed([f"{name} ({kind})" for name, kind in summary["extras"].items()]) or "none",
        "format": summary["format_version"],
    }
    print_summary(header, format_)
    print_rows([_family(row, summary["rows"]) for row in summary["families"]], format_)
    label_sets = [row for row in summary["families"] if row["family"].startswith(_LABELS)]
    _section("label sets", [_label_set(row) for row in label_sets], format_)
    inputs = summary["inputs"]
    shown = f"inputs, the first {_MOST_INPUTS} of {len(inputs):,}" if len(inputs) > _MOST_INPUTS else "inputs"
    _section(shown, [_input(row) for row in inputs[:_MOST_INPUTS]], format_)
    _section("appended", summary["appended"], format_)
    _section("gold", [_round(row) for row in summary["gold"]], format_)
    _section("label runs", [_run(row) for row in summary["runs"]], format_)
    for row in summary["runs"]:
        said = "part" if row["state"] == "finished" and row["worker"] is not None else row["state"]
        note = _RUN_NOTES[said].format(**{**row, "ago": duration(row["silent_seconds"])})
        who = f"process {row['process']} on {row['machine']}, begun {row['started']}"
        what = row["label_set"] or f"{_NO_LABEL_SET}, {row['stage']}"
        print_title(f"{what}: {who}; {note}", format_)
    _print_unfinished(label_sets, {row["label_set"] for row in summary["runs"]}, format_)
    _section("forecasts", [_forecast(row) for row in summary["forecasts"]], format_)


def _print_unfinished(label_sets: list[Row], written: set[str | None], format_: str | None) -> None:
    """Say how label sets are finished that no run which left notes writes, as none does from answers."""
    for row in label_sets:
        name = row["family"].removeprefix(_LABELS)
        if row["again"] is not None and name not in written:
            missing = f"{row['of'] - row['shards']:,} of {row['of']:,} shards are missing"
            print_title(f"{name}: {missing}; `{row['again']}` makes them", format_)


def _section(title: str, rows: list[Row], format_: str | None) -> None:
    if rows:
        print_title(title, format_)
        print_rows(rows, format_)


def _family(row: Row, rows: int) -> Row:
    state = "finished" if row["sealed"] else "unfinished" if row["shards"] < row["of"] else "not sealed"
    return {
        "family": row["family"],
        "shards": f"{row['shards']:,}/{row['of']:,}",
        "rows": f"{row['rows']:,}" if row["rows"] == rows else f"{row['rows']:,}/{rows:,}",
        "failed": row["failed"],
        "size": size(row["bytes"]),
        "state": state,
    }


def _label_set(row: Row) -> Row:
    return {
        "name": row["family"].removeprefix(_LABELS),
        "made by": row["model"] or _answers(row["answers"]),
        "encoding": row["encoding"],
        "length": row["max_length"],
        "dtype": row["dtype"],
        "device": row["device"],
    }


def _answers(files: list[str] | None) -> str:
    """What made a label set that no model did."""
    if files is None:
        return "not known: its card is lost"
    more = f" and {len(files) - _MOST_FILES:,} more" if len(files) > _MOST_FILES else ""
    return f"answers: {_listed(files[:_MOST_FILES])}{more}"


def _input(row: Row) -> Row:
    return {"path": row["path"], "rows": f"{row['rows']:,}", "rejected": row["rejected"], "size": size(row["size"])}


def _round(row: Row) -> Row:
    sha256 = None if row["sha256"] is None else row["sha256"][:16]
    return {**row, "sources": _listed(row["sources"]), "sha256": sha256}


def _run(row: Row) -> Row:
    of = f"/{row['rows']:,} ({row['rows_done'] / row['rows']:.0%})" if row["rows"] else ""
    return {
        "label set": row["label_set"] or _NO_LABEL_SET,
        "state": row["state"],
        "its rows": f"{row['rows_done']:,}{of}",
        "rows/s": row["rows_per_second"],
        "left": None if row["seconds_left"] is None else duration(row["seconds_left"]),
        "workers": _workers(row["devices"]),
    }


def _forecast(row: Row) -> Row:
    times = [duration(row[name]) for name in ("seconds", "seconds_low", "seconds_high")]
    accuracy = [row[name] for name in ("accuracy", "accuracy_low", "accuracy_high")]
    return {
        "label set": row["label_set"],
        "rows": f"{row['rows']:,}",
        "time": "{} ({} to {})".format(*times),
        "took": None if row["took"] is None else duration(row["took"]),
        "disk": size(row["disk_bytes"]),
        "accuracy": None if accuracy[0] is None else "{:.1%} ({:.1%} to {:.1%})".format(*accuracy),
    }


def _workers(devices: list[str]) -> str:
    """``["cpu", "cpu"]`` → ``2 × cpu``."""
    counts = {device: devices.count(device) for device in devices}
    return ", ".join(f"{count} × {device}" if count > 1 else device for device, count in counts.items())


def _listed(names: list[str]) -> str:
    """Names with commas between them; those that have one are quoted."""
    return ", ".join(f'"{name}"' if "," in name else name for name in names)
