"""Accuracy against the size of the pool, against cost and speed, and against what models believe → figures."""

import math
from collections import Counter
from typing import Any

import altair as alt

from engine.comparison.plots.shapes import LOOSE, finished, log_axis, looks, of_kind, shown
from engine.comparison.results import DIRECT, DISTILLED, SELF_DISTILLED, TEACHER, Results
from engine.comparison.statistics.arms import ArmSummary, device_seconds, reliability
from engine.comparison.summary import Comparison
from engine.report.answers import Row
from engine.report.figures.charts import tips
from engine.report.figures.figure import Figure, Form, percent
from engine.report.figures.style import INK

_WIDE = 8
_JUDGED = (TEACHER, DISTILLED, DIRECT)
_MEAN: dict[str, tuple[str, Form]] = {
    "accuracy": ("accuracy", "share"),
    "low": ("at least", "share"),
    "high": ("at most", "share"),
}


def pool_figure(results: Results, comparison: Comparison) -> Figure | str:
    """Accuracy of distilled students by the rows of their pool; or why there is none."""
    every = [one for one in comparison.rows if one.arm in (DISTILLED, SELF_DISTILLED) and one.labels == results.labels]
    times = Counter(one.arm for one in every)
    ours = [one for one in every if times[one.arm] > 1]
    sizes = sorted({one.text_rows for one in ours})
    if not sizes:
        return "there is one size of the pool; give --pool-sizes"
    rows = [row for one in ours for row in _pool_rows(results, one)]
    style = looks([one.arm for one in ours])
    domain = (sizes[0] / 1.15, sizes[-1] * 1.15)
    ticks = list(map(float, sizes))
    across = alt.X(**log_axis("text_rows", title="unlabelled rows", values=ticks, form=",d", domain=domain))
    down = _accuracy()
    mean = of_kind("mean")
    layers = [
        mean.mark_line(strokeWidth=2).encode(across, down, style["color"]),
        mean.mark_rule(strokeWidth=2).encode(across, style["color"], y="low:Q", y2="high:Q"),
        of_kind("seed")
        .mark_point(filled=True, size=28, opacity=0.55)
        .encode(across, down, style["color"], style["shape"]),
        mean.mark_point(filled=True, size=95, opacity=1).encode(across, down, style["color"], style["shape"]),
    ]
    tooltip = tips(arm="arm", text_rows="unlabelled rows|,", accuracy="accuracy|.2%", seed="seed")
    first, last = (next(one for one in ours if one.text_rows == size) for size in (sizes[0], sizes[-1]))
    return Figure(
        name="pool",
        title="What do more unlabelled rows give?",
        says=f"From {first.text_rows:,} to {last.text_rows:,} rows {first.arm} goes from {percent(first.accuracy, 2)} "
        f"to {percent(last.accuracy, 2)}.",
        how="Large marks: means with 95 % intervals over seeds and test rows; small ones: seeds.",
        spec=finished(*(layer.encode(tooltip=tooltip) for layer in layers), height=260),
        rows=rows,
        columns={"arm": ("arm", "text"), "text_rows": ("rows", "whole"), "seed": ("seed", "text"), **_MEAN},
    )


def cost_figure(results: Results, comparison: Comparison) -> Figure | str:
    """Accuracy by cost, without prices by device seconds; or why there is none."""
    priced = comparison.prices.known
    spent = {one.recipe: one.cost if priced else device_seconds(results, one.recipe) for one in comparison.rows}
    rows = [_mean_row(one, spent=spent[one.recipe]) for one in comparison.rows if spent[one.recipe]]
    if not rows:
        return "nothing costs anything"
    best = max(comparison.rows, key=lambda one: one.accuracy)
    price = f"{spent[best.recipe]:,.2f}" if priced else f"{spent[best.recipe]:,.0f} device seconds"
    what = "cost of labels and devices" if priced else "device seconds for training and labelling, teacher included"
    return _scatter(
        rows,
        "spent",
        title=what,
        form="~g" if priced else ",d",
        figure={
            "name": "cost",
            "title": "What does accuracy cost?",
            "says": f"Highest accuracy: {best.arm}, {percent(best.accuracy, 2)}, for {price}.",
            "how": "A mark is an arm at one size, with its 95 % interval. Up and to the left is better. Labels are "
            + ("in the cost." if comparison.prices.label is not None else "not in it."),
        },
    )


def speed_figure(comparison: Comparison) -> Figure | str:
    """Accuracy by rows a second; or why there is none."""
    measured = [one for one in comparison.rows if one.rows_per_second is not None]
    if not measured:
        return "no speeds were measured"
    rows = [_mean_row(one, spent=one.rows_per_second) for one in measured]
    fastest = max(measured, key=lambda one: one.rows_per_second or 0.0)
    return _scatter(
        rows,
        "spent",
        title="rows a second",
        form=",d",
        figure={
            "name": "speed",
            "title": "How fast are the accurate ones?",
            "says": f"Fastest: {fastest.arm}, {fastest.rows_per_second:,.0f} rows/s.",
            "how": "Measured in turns on one machine, the median of the rounds. Up and to the right is better.",
        },
    )


def reliability_figure(results: Results, comparison: Comparison) -> Figure | str:
    """Accuracy by confidence, of teacher, distilled and direct; or why there is none."""
    rows: list[Row] = []
    for arm in _JUDGED:
        runs = list(results.of(results.main(arm)).values())
        rows += [{"kind": "mean", "arm": arm, **one} for one in (reliability(results, runs) if runs else [])]
    if not rows:
        return "there is neither a teacher nor a student yet"
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    style, main = looks(arms), [results.main(arm) for arm in arms]
    errors = [f"{one.arm} {percent(one.ece, 2)}" for one in comparison.rows if one.recipe in main]
    ends: list[dict[str, Any]] = [{"at": _tenth(rows, "mean_confidence")}, {"at": 1}]
    ideal = alt.Chart(alt.InlineData(values=ends))
    across, down = _share(rows, "mean_confidence", "mean confidence"), _share(rows, "accuracy", "share that is right")
    tooltip = tips(arm="arm", mean_confidence="mean confidence|.2%", accuracy="right|.2%", rows="rows|,")
    base = of_kind("mean").encode(across, down, tooltip=tooltip)
    size = alt.Size("rows:Q", scale=alt.Scale(range=[35, 280]), legend=None)
    return Figure(
        name="reliability",
        title="Are they as sure as they may be?",
        says=f"Expected calibration error: {', '.join(errors)}.",
        how="Below the dashed line models are surer than they are right. Predictions in 15 bins of confidence, of all "
        "seeds together; large marks stand for many rows.",
        spec=finished(
            ideal.mark_line(color=INK, strokeDash=[6, 3]).encode(x="at:Q", y="at:Q"),
            base.mark_line(strokeWidth=1.8).encode(style["color"]),
            base.mark_point(filled=True, opacity=0.8).encode(style["color"], style["shape"], size),
            height=300,
        ),
        rows=rows,
        columns={
            "arm": ("arm", "text"),
            "mean_confidence": ("mean confidence", "share"),
            "accuracy": ("right", "share"),
            "rows": ("rows", "whole"),
        },
    )


def _scatter(rows: list[Row], field: str, *, title: str, form: str, figure: dict[str, Any]) -> Figure:
    style = looks([row["arm"] for row in rows])
    values = sorted(row[field] for row in rows)
    domain = (values[0] / 1.3, values[-1] * 1.3)
    if values[-1] > _WIDE * values[0]:
        ticks = _decades(*domain)
        across = alt.X(**log_axis(field, title=f"{title} (logarithmic)", values=ticks, form=form, domain=domain))
    else:
        across = alt.X(f"{field}:Q", title=title, scale=alt.Scale(domain=[0, domain[1]], nice=False))
        across = across.axis(format=form, tickCount=6)
    base = of_kind("mean").encode(across, tooltip=tips(name="arm", spent=f"{title}|,.4~g", accuracy="accuracy|.2%"))
    return Figure(
        **figure,
        spec=finished(
            base.mark_rule(strokeWidth=2).encode(style["color"], y="low:Q", y2="high:Q"),
            base.mark_point(filled=True, size=110, opacity=1).encode(_accuracy(), style["color"], style["shape"]),
            height=280,
        ),
        rows=rows,
        columns={"name": ("arm", "text"), field: (title, "number"), **_MEAN},
    )


def _share(rows: list[Row], field: str, title: str) -> Any:
    """An axis from a tenth below the smallest share to 1."""
    scale = alt.Scale(domain=[_tenth(rows, field), 1], padding=8, nice=False)
    channel = alt.X if field == "mean_confidence" else alt.Y
    return channel(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format="%", tickCount=5))


def _tenth(rows: list[Row], field: str) -> float:
    least: float = min(row["mean_confidence"] for row in rows)
    if field == "accuracy":
        least = min(least, min(row["accuracy"] for row in rows))
    return math.floor(10 * least) / 10


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between two numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]


def _accuracy() -> alt.Y:
    return alt.Y("accuracy:Q", title="accuracy on the test rows", scale=LOOSE, axis=alt.Axis(format=".1%", tickCount=6))


def _mean_row(summary: ArmSummary, *, spent: float | None) -> Row:
    place = f", {summary.text_rows:,} rows" if summary.text_rows else ""
    return {
        "kind": "mean",
        "arm": summary.arm,
        "name": f"{shown(summary.recipe)}{place}",
        "spent": spent,
        "accuracy": summary.accuracy,
        "low": summary.low,
        "high": summary.high,
    }


def _pool_rows(results: Results, summary: ArmSummary) -> list[Row]:
    runs = results.of(summary.recipe)
    accuracies = results.right(runs.values()).mean(axis=1)
    whole = {**_mean_row(summary, spent=None), "text_rows": summary.text_rows, "seed": "mean"}
    return [whole] + [
        {"kind": "seed", "arm": summary.arm, "text_rows": summary.text_rows, "seed": str(seed), "accuracy": float(one)}
        for seed, one in zip(runs, accuracies, strict=True)
    ]
