"""Answers about shards → figures: whether what comes later in the store is like what came before."""

from collections.abc import Sequence

import altair as alt

from engine.report.answers import MOST_ROWS, Answers, Row
from engine.report.figures import charts
from engine.report.figures.figure import Figure, Form, percent

_MOST_LINES = 6


def shard_figures(answers: Answers) -> list[Figure]:
    """Those of a store that has several shards with labels."""
    return [figure for figure in (drift(answers), class_drift(answers)) if figure is not None]


def drift(answers: Answers) -> Figure | None:
    """Mean confidence of every shard, around that of the whole."""
    rows = answers["drift"]
    if len(rows) < 2:
        return None
    far = rows[0]
    says = f"Shard {far['shard']} is farthest: {percent(far['mean_confidence'])}, and the whole {percent(far['whole'])}"
    deviations = far["standardised"]
    says += f", {abs(deviations):.2f} standard deviations of a row." if deviations is not None else "."
    return Figure(
        name="drift",
        title="Does the confidence drift from shard to shard?",
        says=says,
        how="A stem for each shard, from the mean of the whole (dashed). Shards follow the input, and so do trends."
        + _cut(rows, "shards", MOST_ROWS["drift"]),
        spec=charts.around(
            x="shard",
            y="mean_confidence",
            middle="whole",
            title="mean confidence",
            tooltip=charts.tips(
                shard="shard",
                rows="rows|,",
                mean_confidence="mean confidence|.3%",
                whole="whole|.3%",
                standardised="standard deviations|.3f",
            ),
        ),
        rows=rows,
        columns={
            "shard": ("shard", "whole"),
            "rows": ("rows", "whole"),
            "mean_confidence": ("mean confidence", "share"),
            "difference": ("difference", "number"),
            "standardised": ("standard deviations", "number"),
        },
        zoom={"x": "shard"},
    )


_CLASS_DRIFT_COLUMNS: dict[str, tuple[str, Form]] = {
    "shard": ("shard", "whole"),
    "name": ("class", "text"),
    "rows": ("rows", "whole"),
    "share": ("share", "share"),
    "whole": ("whole", "share"),
    "standardised": ("standard deviations", "number"),
}


def class_drift(answers: Answers) -> Figure | None:
    """Shares of predictions in every shard, a line a class."""
    cells = answers["class-drift"]
    if len({row["shard"] for row in cells}) < 2:
        return None
    names = answers.names
    rank = {prediction: number for number, prediction in enumerate(dict.fromkeys(row["prediction"] for row in cells))}
    rows = [
        {**row, "of": row["prediction"], "name": names[row["prediction"]], "rank": rank[row["prediction"]]}
        for row in sorted(cells, key=lambda row: (row["shard"], row["prediction"]))
    ]
    few = f" The {_MOST_LINES} classes that differ most; choose another one above." if len(rank) > _MOST_LINES else ""
    return Figure(
        name="class-drift",
        title="Do the classes drift from shard to shard?",
        says=_farthest(cells[0], names),
        how=f"Share of each class in each shard. Level lines mean that shards are alike.{few}"
        + _cut(rows, "pairs of class and shard", MOST_ROWS["class-drift"]),
        spec=charts.curves(
            x=alt.X("shard:Q", title="shard", scale=charts.LOOSE, axis=charts.WHOLE),
            y=alt.Y(
                "share:Q",
                title="share of predictions",
                scale=charts.LOOSE,
                axis=alt.Axis(format="~%", tickCount=5),
            ),
            names=[names[prediction] for prediction in rank],
            named=_MOST_LINES,
            keep=f"chosen === null ? datum.rank < {_MOST_LINES} : datum.of === chosen",
            tooltip=charts.tips(
                name="class",
                shard="shard",
                rows="rows|,",
                share="share|.2%",
                whole="whole|.2%",
                standardised="deviations|.3f",
            ),
        ),
        rows=rows,
        columns=_CLASS_DRIFT_COLUMNS,
        chosen_by="member",
        zoom={"x": "shard", "y": "share"},
    )


def _cut(rows: list[Row], what: str, most: int) -> str:
    """A note that the answer was cut; empty if it was not."""
    return f" Only the {most:,} {what} that differ most are shown." if len(rows) >= most else ""


def _farthest(cell: Row, names: Sequence[str]) -> str:
    """Of the pairs of class and shard the one that differs most from the whole, in words."""
    return (
        f"“{names[cell['prediction']]}” differs most: {percent(cell['share'])} of shard {cell['shard']}, "
        f"{percent(cell['whole'])} of the whole."
    )
