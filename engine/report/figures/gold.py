"""Answers about labels against gold → figures."""

from collections import Counter
from collections.abc import Callable

import altair as alt

from engine.report.answers import Answers, Row
from engine.report.figures import charts
from engine.report.figures.estimates import estimates
from engine.report.figures.figure import Figure, percent, together
from engine.report.figures.labels import MOST_BARS

_MOST_CELLS = 15  # classes of a matrix
_SAID_CELLS = 6  # classes of a matrix whose shares can be read in its cells, on a phone too


def gold_figures(answers: Answers) -> list[Figure]:
    """Those that compare with gold."""
    made: list[Callable[[Answers], Figure | None]]
    made = [estimates, confusion, reliability, risk_coverage, confident_joint, gold_classes]
    return [figure for make in made if (figure := make(answers)) is not None]


def confusion(answers: Answers) -> Figure | None:
    """Matrix of gold and prediction."""
    cells = [{**row, "of": row["gold"], "other": row["prediction"]} for row in answers["confusion"]]
    names = answers.names
    wrong = max((row for row in cells if row["of"] != row["other"]), key=lambda row: row["rows"], default=None)
    says = "No gold row is labelled wrong."
    if wrong is not None:
        says = f"Most often “{names[wrong['of']]}” is called “{names[wrong['other']]}” in {wrong['rows']:,} rows."
    return _matrix(
        cells,
        names,
        name="confusion",
        title="Which classes are taken for each other?",
        says=says,
        how="A row for each gold class; its cells say which share of it was predicted as what. The diagonal is right.",
        axes=("gold", "predicted"),
    )


def confident_joint(answers: Answers) -> Figure | None:
    """Matrix of gold and the class that rows likely have."""
    cells = [{**row, "of": row["gold"], "other": row["likely"]} for row in answers["confident-joint"]]
    off = sum(row["rows"] for row in cells if row["of"] != row["other"])
    return _matrix(
        cells,
        answers.names,
        name="confident-joint",
        title="Which gold labels are likely mistakes?",
        says=f"{off:,} gold rows likely have another class than they were given; the surest are in the table below.",
        how="Confident learning (Northcutt et al. 2021): gold classes down, across the class that the model, as sure "
        "as it is of that class in general, would give. Off the diagonal are likely mistakes of the annotators.",
        axes=("gold", "likely"),
    )


def _matrix(
    cells: list[Row], names: list[str], *, name: str, title: str, says: str, how: str, axes: tuple[str, str]
) -> Figure | None:
    if not cells:
        return None
    rows, size = _folded(cells, names)
    down, across = axes
    shown = f" The {_MOST_CELLS} largest classes; the others are together." if len(names) > size else ""
    return Figure(
        name=name,
        title=title,
        says=says,
        how=how + shown,
        spec=charts.matrix(
            count=size,
            down=down,
            across=across,
            said=size <= _SAID_CELLS,
            tooltip=charts.tips(down=down, across=across, rows="rows|,", share=f"share of {down}|.1%"),
        ),
        rows=rows,
        columns={
            "down": (down, "text"),
            "across": (across, "text"),
            "rows": ("rows", "whole"),
            "share": (f"share of {down}", "share"),
        },
        chosen_by="member",
    )


def _folded(cells: list[Row], names: list[str]) -> tuple[list[Row], int]:
    """All cells of the largest classes, also empty ones, with the other classes as one; how many classes they are."""
    sizes: Counter[int] = Counter()
    for row in cells:
        sizes.update({row["of"]: row["rows"], row["other"]: 0})
    large = {of for of, _ in sizes.most_common(_MOST_CELLS)}
    counts: Counter[tuple[int, int]] = Counter()
    for row in cells:
        of, other = (one if one in large else -1 for one in (row["of"], row["other"]))
        counts[of, other] += row["rows"]
    order = sorted(large) + ([-1] if any(-1 in cell for cell in counts) else [])
    called = {**dict(enumerate(names)), -1: "… the others"}
    totals = {of: sum(counts[of, other] for other in order) for of in order}
    rows = [
        {
            "of": of,
            "other": other,
            "down": called[of],
            "across": called[other],
            "rows": counts[of, other],
            "share": counts[of, other] / totals[of] if totals[of] else 0.0,
        }
        for of in order
        for other in order
    ]
    return rows, len(order)


def reliability(answers: Answers) -> Figure | None:
    """Accuracy over confidence."""
    if not answers["reliability"]:
        return None
    scores = answers.one("calibration")
    whole = scores["mean_confidence"] - scores["accuracy"]
    how_sure = "too sure" if whole > 0 else "not sure enough"
    return Figure(
        name="reliability",
        title="Is the model as often right as it is sure?",
        says=f"It is {how_sure} by {100 * abs(whole):.1f} points in the mean; the expected calibration error is "
        f"{percent(scores['expected_calibration_error'])}.",
        how="A mark for each of 15 bins of confidence, larger for more rows; the stem is its gap to the dashed "
        "diagonal, on which a model is that is as sure as it is right. Below it, it is too sure (Guo et al. 2017).",
        spec=charts.diagonal(
            tooltip=charts.tips(
                low="confidence from|.2f",
                high="to|.2f",
                rows="rows|,",
                mean_confidence="mean confidence|.2%",
                accuracy="accuracy|.2%",
                gap="gap|.2%",
            )
        ),
        rows=together(answers["reliability"], answers["reliability-by-class"]),
        columns={
            "low": ("from", "number"),
            "high": ("to", "number"),
            "rows": ("rows", "whole"),
            "mean_confidence": ("mean confidence", "share"),
            "accuracy": ("accuracy", "share"),
            "gap": ("gap", "share"),
        },
        chosen_by="of",
        zoom={"x": "mean_confidence", "y": "accuracy"},
    )


def risk_coverage(answers: Answers) -> Figure | None:
    """Share of mistakes over the share of rows that are kept."""
    steps = answers["risk-coverage"]
    if not steps:
        return None
    half = min(steps, key=lambda row: abs(row["coverage"] - 0.5))
    return Figure(
        name="risk-coverage",
        title="How many mistakes are left if only the surest labels are kept?",
        says=f"Of the surest {percent(half['coverage'], 0)} of the rows {percent(half['risk'])} are wrong, of all "
        f"{percent(steps[-1]['risk'])}. The cut is at a confidence of {half['least_confidence']:.3f}.",
        how='More rows to the right, and more of them are wrong. Use it in `engine select … --where "confidence > …"`.',
        spec=charts.lines(
            x=alt.X(
                "coverage:Q",
                title="share of rows kept, surest first",
                scale=charts.LOOSE,
                axis=alt.Axis(format="%", tickCount=5),
            ),
            series={"risk": "share that is wrong"},
            y="share that is wrong",
            tooltip=charts.tips(
                coverage="rows kept|.0%", rows="rows|,", least_confidence="confidence at least|.4f", risk="wrong|.2%"
            ),
            zoom=("x", "y"),
        ),
        rows=together(steps, answers["risk-coverage-by-class"]),
        columns={
            "coverage": ("kept", "share"),
            "rows": ("rows", "whole"),
            "least_confidence": ("confidence at least", "number"),
            "risk": ("wrong", "share"),
        },
        chosen_by="of",
        zoom={"x": "coverage", "y": "value"},
    )


def gold_classes(answers: Answers) -> Figure | None:
    """Bars of gold labels."""
    names = answers.names
    every = [{**row, "of": row["label"], "name": names[row["label"]]} for row in answers["gold-classes"]]
    if not every:
        return None
    rows = sorted(every, key=lambda row: -row["rows"])[:MOST_BARS]
    return Figure(
        name="gold-classes",
        title="How often has each class a gold label?",
        says=f"{sum(row['rows'] for row in every):,} rows have one; “{rows[0]['name']}” is most frequent.",
        how="A class with few gold rows is judged on few rows: its figures are less sure."
        + (f" The {MOST_BARS} most frequent ones." if len(every) > MOST_BARS else ""),
        spec=charts.bars(
            count=len(rows),
            value="rows",
            title="gold rows",
            form=",d",
            tooltip=charts.tips(name="class", rows="gold rows|,", share="share|.2%"),
        ),
        rows=rows,
        columns={"name": ("class", "text"), "rows": ("gold rows", "whole"), "share": ("share", "share")},
        chosen_by="member",
    )
