"""Answers about the labels alone → figures."""

import math
from collections.abc import Callable

import altair as alt

from engine.report.answers import Answers, Row
from engine.report.figures import charts
from engine.report.figures.figure import Figure, Form, percent, together
from engine.report.names import short

MOST_BARS = 20
_BINS: dict[str, tuple[str, Form]] = {
    "low": ("from", "number"),
    "high": ("to", "number"),
    "rows": ("rows", "whole"),
    "share": ("share", "share"),
}


def label_figures(answers: Answers) -> list[Figure]:
    """Those that the store can answer."""
    made: list[Callable[[Answers], Figure | None]] = [classes, confidence, margin, entropy, length, failures]
    return [figure for make in made if (figure := make(answers)) is not None]


def classes(answers: Answers) -> Figure | None:
    """Bars of predictions, with the mean probability as a line."""
    if not answers["classes"] or not sum(row["rows"] for row in answers["classes"]):
        return None
    names = answers.names
    rows = [{**row, "of": row["prediction"], "name": names[row["prediction"]]} for row in answers["classes"]]
    rows.sort(key=lambda row: -row["rows"])
    first, rest = rows[:MOST_BARS], rows[MOST_BARS:]
    most, least = first[0], rows[-1]
    says = f"“{most['name']}” is predicted most, for {percent(most['share'])} of the rows"
    says += f", and “{least['name']}” least, for {percent(least['share'])}." if len(rows) > 1 else "."
    if (never := sum(1 for row in rows if not row["rows"])) > 1:
        says += f" {never} classes are never predicted."
    share = percent(sum(row["share"] for row in rest))
    others = f" The {len(first)} most frequent; the other {len(rest)} have {share} together." if rest else ""
    return Figure(
        name="classes",
        title="How often is each class predicted?",
        says=says,
        how="Bars: share of predictions. Upright lines: mean probability, the share that the model itself believes in. "
        "Click a bar to look at one class." + others,
        spec=charts.bars(
            count=len(first),
            value="share",
            mark="mean_probability",
            title="share of rows",
            form=".1%",
            tooltip=charts.tips(
                name="class", rows="rows|,", share="share|.2%", mean_probability="mean probability|.2%"
            ),
        ),
        rows=first,
        columns={
            "name": ("class", "text"),
            "rows": ("rows", "whole"),
            "share": ("share", "share"),
            "mean_probability": ("mean probability", "share"),
        },
        chosen_by="member",
    )


def confidence(answers: Answers) -> Figure | None:
    """Histogram of the largest probability."""
    sure = sum(row["share"] for row in answers["confidence"] if row["low"] >= 0.9)
    unsure = sum(row["share"] for row in answers["confidence"] if row["high"] <= 0.6)
    return _histogram(
        answers,
        "confidence",
        title="How sure is the model?",
        says=f"It is at least 90 % sure of {percent(sure)} of the rows, and less than 60 % sure of {percent(unsure)}.",
        how="Confidence is the largest probability. Much on the right means sure labels, right or wrong.",
    )


def margin(answers: Answers) -> Figure | None:
    """Histogram of the largest probability less the second."""
    close = sum(row["share"] for row in answers["margin"] if row["high"] <= 0.1)
    return _histogram(
        answers,
        "margin",
        title="How far ahead is the first class of the second?",
        says=f"Two classes are nearly tied, less than 0.1 apart, in {percent(close)} of the rows.",
        how="Margin is the largest probability less the second. What is on the left is worth a person's look.",
    )


def entropy(answers: Answers) -> Figure | None:
    """Histogram of the entropy."""
    bins = answers["entropy"]
    mean = sum((row["low"] + row["high"]) / 2 * row["share"] for row in bins)
    return _histogram(
        answers,
        "entropy",
        title="How spread are the probabilities?",
        says=f"About {mean:.2f} nats in the mean; {len(answers.classes)} equal probabilities would have "
        f"{_largest_entropy(answers):.2f}.",
        how="Entropy, in nats: none where one class has it all, most where all classes are equal.",
    )


def _largest_entropy(answers: Answers) -> float:
    return math.log(max(1, len(answers.classes)))


def _histogram(answers: Answers, name: str, *, title: str, says: str, how: str) -> Figure | None:
    if not answers[name]:
        return None
    tooltip = charts.tips(low="from|.2f", high="to|.2f", rows="rows|,", share="share|.2%")
    return Figure(
        name=name,
        title=title,
        says=says,
        how=how,
        spec=charts.histogram(title=name, tooltip=tooltip),
        rows=together(answers[name], answers[f"{name}-by-class"]),
        columns=_BINS,
        chosen_by="of",
        zoom={"x": "low"},
    )


_LENGTH_COLUMNS: dict[str, tuple[str, Form]] = {
    "tokens": ("tokens", "text"),
    "rows": ("rows", "whole"),
    "mean_confidence": ("mean confidence", "share"),
    "truncated": ("cut", "share"),
    "gold_rows": ("gold rows", "whole"),
    "accuracy": ("accuracy", "share"),
}


def length(answers: Answers) -> Figure | None:
    """Confidence and, with gold, accuracy by the number of tokens."""
    if not answers["length"]:
        return None
    rows = together(answers["length"], answers["length-by-class"])
    rows = [
        {**row, "tokens": "–".join(dict.fromkeys((str(row["tokens_from"]), str(row["tokens_to"]))))} for row in rows
    ]
    whole = [row for row in rows if row["of"] is None]
    ticks = list(dict.fromkeys(row["tokens"] for row in sorted(rows, key=lambda row: row["tokens_from"])))
    low = min(whole, key=lambda row: row["mean_confidence"])
    says = (
        f"Confidence is lowest, {percent(low['mean_confidence'])}, for {low['tokens']} tokens ({low['rows']:,} rows)."
    )
    series = {"mean_confidence": "mean confidence"}
    if any(row["gold_rows"] for row in whole):
        series["accuracy"] = "accuracy on gold"
    return Figure(
        name="length",
        title="Are long texts labelled worse than short ones?",
        says=says,
        how="Texts by their number of tokens, in powers of two. A fall to the right means that long texts suffer.",
        spec=charts.lines(
            x=alt.X("tokens:N", sort=ticks, title="tokens", axis=alt.Axis(labelAngle=-40)),
            series=series,
            y="share",
            tooltip=charts.tips(
                tokens="tokens",
                rows="rows|,",
                mean_confidence="mean confidence|.2%",
                truncated="cut to the maximum length|.2%",
                gold_rows="gold rows|,",
                accuracy="accuracy|.2%",
            ),
        ),
        rows=rows,
        columns=_LENGTH_COLUMNS,
        chosen_by="of",
    )


def failures(answers: Answers) -> Figure | None:
    """Bars of the reasons why rows could not be labelled."""
    every: list[Row] = [
        {"name": f"{row['label_set']}: {short(row['failure'])}", **row}
        for row in answers["failures"]
        if row["failure"] != "none"
    ]
    rows = every[:MOST_BARS]
    if not rows:
        return None
    return Figure(
        name="failures",
        title="Which rows could not be labelled, and why?",
        says=f"{sum(row['rows'] for row in every):,} labels are missing, in all label sets; each has its reason.",
        how="A bar for each label set and reason.",
        spec=charts.bars(
            count=len(rows),
            value="rows",
            title="rows",
            form=",d",
            tooltip=charts.tips(name="why", rows="rows|,", share="share of the set|.3%"),
        ),
        rows=rows,
        columns={"name": ("label set: reason", "text"), "rows": ("rows", "whole"), "share": ("share", "share")},
    )
