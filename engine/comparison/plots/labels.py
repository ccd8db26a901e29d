"""Error against labels, both logarithmic, and how far direct training is from what distilling gives → a figure."""

import math
from typing import Any

import altair as alt
import numpy as np

from engine.comparison.plots.shapes import finished, log_axis, of_kind
from engine.comparison.results import DISTILLED, Results
from engine.comparison.sentences import rounded, worth_sentences
from engine.comparison.statistics.arms import ArmSummary
from engine.comparison.statistics.error_curve import ErrorCurve, fit_errors
from engine.comparison.statistics.worth import TRUSTED, Worth
from engine.comparison.summary import Comparison
from engine.report.answers import Row
from engine.report.figures.charts import tips
from engine.report.figures.figure import Figure
from engine.report.figures.style import ACCENT, INK, SERIES

_POINTS = 60
_ROOM = 1.12
_FAR = 3.0  # times the errors that were measured: bands end there
_DISTILLED = SERIES[1]
_NICE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def labels_figure(results: Results, comparison: Comparison) -> Figure | str:
    """The line of direct training, the distilled student, and N* as an arrow; or why there is none."""
    curve, worth = fit_errors(results), comparison.worth
    if isinstance(curve, str) or worth is None:
        return comparison.worth_lacking or str(curve)
    ends = _ends(worth)
    (ours,) = [one for one in comparison.rows if one.recipe == results.main(DISTILLED)]
    rows = [
        *_line(curve, ends[1]),
        *_measured(results, curve),
        _student(ours, curve, ends),
        *_arrow(worth, curve, ends),
    ]
    return Figure(
        name="labels",
        title="How many labels is distilling worth?",
        says=worth_sentences(worth, comparison.prices)[0],
        how="Blue: test error of direct training, small dots for seeds, and a line through the means (log error on log "
        "labels) with its 95 % band, dashed where it is extrapolated. Orange: the distilled student with its interval. "
        "The arrow goes to the labels that direct training needs for the same error; the bar is their 95 % interval.",
        spec=_spec(rows, worth, ends),
        rows=rows,
        columns={
            "kind": ("", "text"),
            "labels": ("labels", "whole"),
            "error": ("error", "share"),
            "low": ("at least", "share"),
            "high": ("at most", "share"),
            "seed": ("seed", "text"),
        },
    )


def _ends(worth: Worth) -> tuple[float, float]:
    """Left and right end of the plot, with room for N* and its interval as far as the line is believed."""
    last = [float(worth.sizes[-1])]
    last += [min(end, worth.trusted) for end in (worth.equal, worth.high) if end is not None]
    last += [worth.trusted] if worth.equal is not None and worth.high is None else []
    first = min(worth.sizes[0], worth.labels, worth.equal or worth.labels)
    return max(first, worth.sizes[0] / TRUSTED) / _ROOM, max(last) * _ROOM


def _line(curve: ErrorCurve, last: float) -> list[Row]:
    """Points of the line, measured ones and extrapolated ones; both have the point where they meet."""
    first, end = float(curve.sizes[0]), float(curve.sizes[-1])
    parts = [("line", np.geomspace(first, end, _POINTS)), ("extrapolated", np.geomspace(end, last, _POINTS))]
    rows = []
    for kind, places in parts:
        for labels in places:
            error, low, high = curve.band(float(labels))
            rows.append({"kind": kind, "labels": float(labels), "error": error, "low": low, "high": high})
    return rows


def _measured(results: Results, curve: ErrorCurve) -> list[Row]:
    rows: list[Row] = []
    for recipe, mean in zip(results.direct_sizes(), curve.errors, strict=True):
        runs = results.of(recipe)
        errors = 1 - results.right(runs.values()).mean(axis=1)
        rows += [
            {"kind": "seed", "labels": recipe.labels, "seed": str(seed), "error": float(error)}
            for seed, error in zip(runs, errors, strict=True)
            if error > 0
        ]
        rows.append({"kind": "mean", "labels": recipe.labels, "seed": "mean", "error": float(mean)})
    return rows


def _student(ours: ArmSummary, curve: ErrorCurve, ends: tuple[float, float]) -> Row:
    """The distilled student's error and its interval, from the left end to the right one."""
    return {
        "kind": "distilled",
        "labels": ends[0],
        "end": ends[1],
        "error": curve.distilled,
        "low": max(curve.distilled / _FAR, 1 - ours.high),
        "high": 1 - ours.low,
        "said": f"distilled from {curve.labels:,} labels",
    }


def _arrow(worth: Worth, curve: ErrorCurve, ends: tuple[float, float]) -> list[Row]:
    """From n to N*, or to as far as the line is believed; and the interval."""
    if worth.equal is None:
        return []
    tip = max(ends[0], min(worth.equal, worth.trusted))
    said = f"N* ≈ {rounded(worth.equal)}" if worth.equal <= worth.trusted else f"N* > {worth.trusted:,}"
    high = worth.trusted if worth.high is None else min(worth.high, worth.trusted)
    low = max(worth.low or 0.0, ends[0])
    at, turn = {"error": curve.distilled}, 90 if tip >= worth.labels else -90
    middle = {**at, "middle": math.sqrt(worth.labels * tip)}
    return [
        {"kind": "interval", "labels": min(low, high), "end": max(ends[0], float(high)), **at},
        {"kind": "arrow", "labels": float(worth.labels), "end": float(tip), "said": said, "turn": turn, **middle},
    ]


def _spec(rows: list[Row], worth: Worth, ends: tuple[float, float]) -> dict[str, Any]:
    errors = [row["error"] for row in rows]
    values = [row[name] for row in rows for name in ("error", "low", "high") if name in row]
    low, high = max(min(values), min(errors) / _FAR) / 1.06, min(1.0, max(values), max(errors) * _FAR) * 1.06
    ticks = [float(size) for size in worth.sizes]
    ticks += [float(worth.trusted)] if worth.trusted <= ends[1] else []
    x = log_axis("labels", title="gold labels", values=ticks, form=",d", domain=ends)
    y = log_axis("error", title="test error", values=_ticks(low, high), form="~%", domain=(low, high))
    across, down = alt.X(**x), alt.Y(**y)
    tooltip = tips(labels="labels|,.0f", error="error|.2%", low="from|.2%", high="to|.2%", seed="seed")
    level = of_kind("distilled")
    arrow = of_kind("arrow")
    layers = [
        level.mark_rect(color=_DISTILLED, opacity=0.13, clip=True).encode(across, x2="end:Q", y="low:Q", y2="high:Q"),
        *(
            of_kind(kind).mark_area(color=ACCENT, opacity=0.15, clip=True).encode(across, y="low:Q", y2="high:Q")
            for kind in ("line", "extrapolated")
        ),
        of_kind("line").mark_line(color=ACCENT, strokeWidth=2).encode(across, down),
        of_kind("extrapolated").mark_line(color=ACCENT, strokeWidth=2, strokeDash=[6, 4]).encode(across, down),
        level.mark_rule(color=_DISTILLED, strokeWidth=1.5).encode(across, down, x2="end:Q"),
        of_kind("interval").mark_rule(color=_DISTILLED, strokeWidth=8, opacity=0.4).encode(across, down, x2="end:Q"),
        of_kind("seed").mark_point(filled=True, color=ACCENT, size=28, opacity=0.55).encode(across, down),
        of_kind("mean").mark_point(filled=True, color=ACCENT, size=95, opacity=1).encode(across, down),
        arrow.mark_rule(color=INK, strokeWidth=2).encode(across, down, x2="end:Q"),
        arrow.mark_point(filled=True, color=INK, size=150, shape="triangle-up", opacity=1).encode(
            down, x="end:Q", angle=alt.Angle("turn:Q", scale=None)
        ),
        arrow.mark_text(color=INK, fontSize=13, fontWeight="bold", dy=-14).encode(down, x="middle:Q", text="said:N"),
        level.mark_text(color=_DISTILLED, fontSize=12, align="left", dx=4, dy=13).encode(across, down, text="said:N"),
    ]
    return finished(*(layer.encode(tooltip=tooltip) for layer in layers), height=320)


def _ticks(low: float, high: float) -> list[float]:
    """One or two digits, a handful of them between two errors."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10**power for power in powers for step in _NICE if low <= step * 10**power <= high]
