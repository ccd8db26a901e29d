"""Accuracy of every seed, and differences with their intervals → two figures."""

import altair as alt

from engine.comparison.plots.shapes import LOOSE, finished, of_kind, shown
from engine.comparison.results import ARMS, TEACHER, Results
from engine.comparison.sentences import name_of, points
from engine.comparison.statistics.arms import ArmSummary
from engine.comparison.statistics.contrasts import DELTA, Contrast
from engine.comparison.summary import Comparison
from engine.report.answers import Row
from engine.report.figures.charts import tips
from engine.report.figures.figure import Figure, percent
from engine.report.figures.style import ACCENT, INK, MUTED


def seeds_figure(results: Results, comparison: Comparison) -> Figure:
    """Every seed a dot, arms below each other, with means and intervals."""
    main = [results.main(arm) for arm in ARMS]
    summaries = [one for one in comparison.rows if one.recipe in main]
    rows = [row for one in summaries for row in _arm_rows(results, one)]
    best = max(summaries, key=lambda one: one.accuracy)
    down = _down(len(summaries))
    across = alt.X(
        "accuracy:Q", title="accuracy on the test rows", scale=LOOSE, axis=alt.Axis(format=".1%", tickCount=6)
    )
    tooltip = tips(name="arm", seed="seed", accuracy="accuracy|.2%")
    interval = of_kind("mean").mark_rule(color=ACCENT, strokeWidth=9, opacity=0.25).encode(down, x="low:Q", x2="high:Q")
    dots = of_kind("seed").mark_point(filled=True, color=ACCENT, size=75, opacity=0.75).encode(down, across)
    mean = of_kind("mean").mark_tick(color=INK, thickness=3, height=22).encode(down, x="accuracy:Q")
    layers = [layer.encode(tooltip=tooltip) for layer in (interval, dots, mean)]
    return Figure(
        name="seeds",
        title="How accurate is each arm, seed by seed?",
        says=f"Highest in the mean: {best.arm}, {percent(best.accuracy, 2)}.",
        how="A dot is one trained model, the upright line the mean, the band its 95 % interval over seeds and "
        "test rows, or with one seed over test rows.",
        spec=finished(*layers, height=46 * len(summaries)),
        rows=rows,
        columns={
            "name": ("arm", "text"),
            "seed": ("seed", "text"),
            "accuracy": ("accuracy", "share"),
            "low": ("at least", "share"),
            "high": ("at most", "share"),
        },
    )


def forest_figure(comparison: Comparison) -> Figure | None:
    """Differences of paired arms, with the margin of the comparison with the teacher."""
    rows = [row for one in comparison.contrasts for row in _contrast_rows(one, "planned")]
    rows += [row for one in comparison.exploratory for row in _contrast_rows(one, "exploratory")]
    if not rows:
        return None
    count = len(comparison.contrasts) + len(comparison.exploratory)
    down = _down(count)
    delta = 100 * DELTA
    band = alt.Chart(alt.InlineData(values=[{"low": -delta, "high": delta}]))
    across = alt.X(
        "difference:Q", title="difference of accuracy, points", scale=LOOSE, axis=alt.Axis(format="+.1f", tickCount=7)
    )
    tooltip = tips(name="difference", seed="seed", difference="points|+.2f", low="from|+.2f", high="to|+.2f")
    opacity = alt.condition("datum.part === 'planned'", alt.value(1), alt.value(0.55))
    margin = band.mark_rect(color=MUTED, opacity=0.16).encode(x="low:Q", x2="high:Q")
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color=INK, strokeDash=[6, 3]).encode(x="at:Q")
    interval = of_kind("mean").mark_rule(color=INK, strokeWidth=2).encode(down, x="low:Q", x2="high:Q", opacity=opacity)
    dots = of_kind("seed").mark_point(filled=True, color=ACCENT, size=48, opacity=0.9).encode(down, across)
    mean = of_kind("mean").mark_point(filled=True, color=INK, size=95, shape="diamond", opacity=1)
    named = band.mark_text(color=MUTED, fontSize=12, align="left", baseline="top", dx=4, dy=3, text="±δ")
    layers = [margin, named.encode(x="low:Q", y=alt.value(0)), zero]
    layers += [one.encode(tooltip=tooltip) for one in (interval, dots)]
    return Figure(
        name="differences",
        title="What does distilling change?",
        says=" ".join(map(_said, comparison.contrasts)),
        how="Diamonds: mean paired difference of accuracy, with its 95 % interval; dots: single seeds. Right of the "
        f"dashed line the first arm is better. The grey band is ±δ, {points(DELTA, signed=False)} points: against the "
        "teacher an interval that ends right of its left edge is no worse. Pale: exploratory.",
        spec=finished(*layers, mean.encode(down, across, opacity=opacity, tooltip=tooltip), height=46 * count),
        rows=rows,
        columns={
            "name": ("difference", "text"),
            "part": ("", "text"),
            "seed": ("seed", "text"),
            "difference": ("points", "number"),
            "low": ("at least", "number"),
            "high": ("at most", "number"),
        },
    )


def _said(contrast: Contrast) -> str:
    """Such as "Against its teacher: not inferior"."""
    teacher = contrast.second.arm == TEACHER
    against = name_of(contrast.second) if teacher else f"direct training with {contrast.second.labels:,} labels"
    outcome: str = contrast.inferiority if teacher else contrast.verdict
    if teacher and outcome == "not decided":
        outcome = "whether it is inferior is not decided"
    return f"Against {against}: {outcome}."


def _down(count: int) -> alt.Y:
    axis = alt.Axis(domain=False, ticks=False, grid=count > 1, labelColor=INK, labelOverlap=False, labelLimit=260)
    return alt.Y("name:N", sort=None, title=None, axis=axis)


def _arm_rows(results: Results, summary: ArmSummary) -> list[Row]:
    runs = results.of(summary.recipe)
    name = shown(summary.recipe)
    accuracies = results.right(runs.values()).mean(axis=1)
    mean = {"accuracy": summary.accuracy, "low": summary.low, "high": summary.high, "seed": "mean"}
    return [{"kind": "mean", "name": name, **mean}] + [
        {"kind": "seed", "name": name, "seed": str(seed), "accuracy": float(accuracy)}
        for seed, accuracy in zip(runs, accuracies, strict=True)
    ]


def _contrast_rows(contrast: Contrast, part: str) -> list[Row]:
    if part == "planned":
        teacher = contrast.second.arm == TEACHER
        against = name_of(contrast.second) if teacher else f"direct, {contrast.second.labels:,} labels"
        name = f"distilled − {against}"
    else:
        name = f"{contrast.first.arm} − {contrast.second.arm} (exploratory)"
    shares = {"difference": contrast.difference, "low": contrast.low, "high": contrast.high}
    mean = {field: 100 * share for field, share in shares.items()}
    return [{"kind": "mean", "name": name, "part": part, "seed": "mean", **mean}] + [
        {"kind": "seed", "name": name, "part": part, "seed": str(seed), "difference": 100 * share}
        for seed, share in zip(contrast.seeds, contrast.by_seed, strict=True)
    ]
