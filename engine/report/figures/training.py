"""Training runs → figures of their curves, and the table that compares them."""

from collections.abc import Iterable

import altair as alt

from engine.report.answers import Row
from engine.report.figures import charts
from engine.report.figures.figure import Figure
from engine.report.names import different
from engine.report.runs import VALIDATION, TrainingRun

_NAMED = 12
_BETWEEN_MARKS = 12  # points of a curve, so that its marks can be told apart


def run_figures(runs: list[TrainingRun]) -> list[Figure]:
    """Loss, and what validations came to."""
    names = different([run.name for run in runs])
    losses = [
        {"name": name, **point, "mark": number % _BETWEEN_MARKS == _BETWEEN_MARKS // 2}
        for name, run in zip(names, runs, strict=True)
        for number, point in enumerate(run.curve)
    ]
    figures = [_losses(losses)] if losses else []
    for metric, title in (
        ("accuracy", "How does validation accuracy go?"),
        ("log_loss", "How does validation loss go?"),
    ):
        rows = [
            {"name": name, "step": line["step"], "epoch": line.get("epoch"), metric: line[VALIDATION + metric]}
            for name, run in zip(names, runs, strict=True)
            for line in run.validations
            if VALIDATION + metric in line
        ]
        if rows:
            figures.append(_validations(rows, metric, title))
    return figures


def _losses(rows: list[Row]) -> Figure:
    lasts = {row["name"]: row["loss"] for row in rows}
    said = ", ".join(f"{name} {loss:.4f}" for name, loss in list(lasts.items())[:_NAMED])
    return Figure(
        name="training-loss",
        title="How does the training loss go?",
        says=f"Last values: {said}.",
        how="Each point is the mean of as many steps. Losses of different procedures are not of the same kind: compare "
        "their shapes, and the accuracy in the table.",
        spec=charts.curves(
            x=alt.X("step:Q", title="step", axis=alt.Axis(format="~s", tickCount=6)),
            y=alt.Y("loss:Q", title="loss", axis=alt.Axis(tickCount=5)),
            names=_once(row["name"] for row in rows),
            named=_NAMED,
            sparse=True,
            tooltip=charts.tips(name="run", step="step|,", epoch="epoch|.1f", loss="loss|.4f"),
        ),
        rows=rows,
        columns={
            "name": ("run", "text"),
            "step": ("step", "whole"),
            "epoch": ("epoch", "number"),
            "loss": ("loss", "number"),
        },
        zoom={"x": "step", "y": "loss"},
    )


def _validations(rows: list[Row], metric: str, title: str) -> Figure:
    pick = max if metric == "accuracy" else min
    best = pick(rows, key=lambda row: row[metric])
    word = metric.replace("_", "-")
    return Figure(
        name=f"validation-{word}",
        title=title,
        says=f"Best: {best[metric]:.4f}, {best['name']} at step {best['step']:,.0f}.",
        how="A mark for each time that the model was validated while it was trained.",
        spec=charts.curves(
            x=alt.X("step:Q", title="step", scale=charts.LOOSE, axis=alt.Axis(format="~s", tickCount=6)),
            y=alt.Y(
                f"{metric}:Q", title=f"validation {word}", scale=charts.LOOSE, axis=alt.Axis(format=".4~g", tickCount=5)
            ),
            names=_once(row["name"] for row in rows),
            named=_NAMED,
            tooltip=charts.tips(name="run", step="step|,", **{metric: f"{word}|.4f"}),
        ),
        rows=rows,
        columns={"name": ("run", "text"), "step": ("step", "whole"), metric: (word, "number")},
        zoom={"x": "step", "y": metric},
    )


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
