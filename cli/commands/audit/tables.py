"""Answers with many numbers → tables that people read. Other formats than tables have them as they are."""

from typing import Any

Row = dict[str, Any]
_WHOLE = "all"


def for_people(question: str, columns: list[str], rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Columns and rows of the answer to ``question``, as a table shows them."""
    if question != "estimates" or not rows:
        return columns, rows
    is_sliced = any(row["slice"] != _WHOLE for row in rows)
    shown = [({"slice": row["slice"]} if is_sliced else {}) | _estimate(row) for row in rows]
    return list(shown[0]), shown


def _estimate(row: Row) -> Row:
    """One measure: what is estimated of it, of what, and between which bounds."""
    return {
        "measure": row["estimand"],
        "estimate": _percent(row["estimate"]),
        "within 95 %": _bounds(row["low"], row["high"]),
        "gold alone": _percent(row["gold_alone"]),
        "gold alone, within 95 %": _bounds(row["gold_low"], row["gold_high"]),
        "labels alone": _percent(row["labels_alone"]),
        "narrower by": _percent(row["narrower"]),
        "gold rows": row["gold_rows"],
        "other rows": row["other_rows"],
    }


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _bounds(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{low:.1%} to {high:.1%}"
