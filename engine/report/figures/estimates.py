"""Estimates for all rows from some gold → a figure."""

from engine.report.answers import Answers, Row
from engine.report.figures import charts
from engine.report.figures.figure import Figure, percent
from engine.report.figures.labels import MOST_BARS

GOLD, BOTH = "gold alone", "labels and gold"


def estimates(answers: Answers) -> Figure | None:
    """Intervals of accuracy and class shares, of gold alone and together with the labels."""
    found = _largest(answers["estimates"])
    if not found or found[0]["other_rows"] == 0:
        return None
    accuracy = found[0]
    rows = [one for row in found for one in _two(row, _name(row, answers.names))]
    more = f" Of the classes, the {MOST_BARS} largest." if len(found) > MOST_BARS else ""
    return Figure(
        name="estimates",
        title="How good are the labels of the rows that nobody looked at?",
        says=f"{percent(accuracy['estimate'])} of all rows are labelled right, between {percent(accuracy['low'])} and "
        f"{percent(accuracy['high'])}, if the {accuracy['gold_rows']:,} gold rows were drawn at random.",
        how="Prediction-powered inference (Angelopoulos et al. 2023): 95 % intervals from the gold alone, and from the "
        "gold and the labels of all rows. They hold whatever the labels are worth; good labels make them narrower. Of "
        f"gold that was not drawn at random they say nothing.{more}",
        spec=charts.intervals(
            count=len(rows) // 2,
            series=[GOLD, BOTH],
            tooltip=charts.tips(name="of all rows", key="from", value="estimate|.2%", low="from|.2%", high="to|.2%"),
        ),
        rows=rows,
        columns={
            "name": ("of all rows", "text"),
            "key": ("from", "text"),
            "value": ("estimate", "share"),
            "low": ("at least", "share"),
            "high": ("at most", "share"),
            "gold_rows": ("gold rows", "whole"),
        },
        zoom={"x": "low"},
    )


def _largest(found: list[Row]) -> list[Row]:
    """Accuracy, and the shares of the largest classes; those alone whose intervals could be computed."""
    known = [row for row in found if row["low"] is not None and row["gold_low"] is not None]
    shares = sorted(known[1:], key=lambda row: -row["estimate"])[:MOST_BARS]
    return known[:1] + [row for row in known[1:] if row in shares]


def _name(row: Row, names: list[str]) -> str:
    return "labelled right" if row["label"] is None else f"“{names[row['label']]}”"


def _two(row: Row, name: str) -> list[Row]:
    gold = {"key": GOLD, "value": row["gold_alone"], "low": row["gold_low"], "high": row["gold_high"]}
    both = {"key": BOTH, "value": row["estimate"], "low": row["low"], "high": row["high"]}
    return [{"name": name, "gold_rows": row["gold_rows"], **one} for one in (gold, both)]
