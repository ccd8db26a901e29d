"""Answers about label sets against each other → figures."""

import altair as alt

from engine.report.answers import Answers, Row
from engine.report.figures import charts
from engine.report.figures.figure import Figure, Form, percent
from engine.report.figures.labels import MOST_BARS


def set_figures(answers: Answers) -> list[Figure]:
    """Those of a store that has several label sets."""
    made = (agreement(answers), disagreement(answers), cascade(answers))
    return [figure for figure in made if figure is not None]


def agreement(answers: Answers) -> Figure | None:
    """Bars of every two label sets."""
    pairs = sorted(answers["agreement"], key=lambda row: row["share"])[:MOST_BARS]
    rows = [{**row, "name": f"{row['label_set']} · {row['other']}"} for row in pairs]
    if not rows:
        return None
    least = rows[0]
    return Figure(
        name="agreement",
        title="Do the label sets agree?",
        says=f"{least['name']}: {percent(least['share'])} of {least['rows']:,} rows have the same prediction in both"
        + (", the least of all." if len(rows) > 1 else "."),
        how="A bar for every two label sets. Rows on which teachers disagree are worth a look.",
        spec=charts.bars(
            count=len(rows),
            value="share",
            title="share with the same prediction",
            form=".1%",
            tooltip=charts.tips(name="label sets", rows="rows|,", same="same|,", share="share|.2%"),
        ),
        rows=rows,
        columns={
            "name": ("label sets", "text"),
            "rows": ("rows", "whole"),
            "same": ("same", "whole"),
            "share": ("share", "share"),
        },
    )


_DISAGREEMENT_COLUMNS: dict[str, tuple[str, Form]] = {
    "sets": ("label sets", "text"),
    "name": ("predictions", "text"),
    "rows": ("rows", "whole"),
    "mean_confidence": ("mean confidence", "share"),
    "other_mean_confidence": ("of the second", "share"),
}


def disagreement(answers: Answers) -> Figure | None:
    """Bars of the most frequent pairs of different predictions."""
    rows = sorted(_different_pairs(answers), key=lambda row: -row["rows"])[:MOST_BARS]
    if not rows:
        return None
    says = f"Most often about {rows[0]['name']} ({rows[0]['sets']}): {rows[0]['rows']:,} rows."
    several = len({row["sets"] for row in rows}) > 1
    if several:
        rows = [{**row, "name": f"{row['name']} ({row['sets']})"} for row in rows]
    return Figure(
        name="disagreement",
        title="What do they disagree about?",
        says=says,
        how="Predictions of the first and of the second label set, the most frequent pairs."
        + ("" if several else f" Sets: {rows[0]['sets']}."),
        spec=charts.bars(
            count=len(rows),
            value="rows",
            title="rows",
            form=",d",
            tooltip=charts.tips(
                sets="label sets",
                name="predictions",
                rows="rows|,",
                mean_confidence="mean confidence|.2%",
                other_mean_confidence="of the second|.2%",
            ),
        ),
        rows=rows,
        columns=_DISAGREEMENT_COLUMNS,
        chosen_by="member",
    )


def cascade(answers: Answers) -> Figure | None:
    """Accuracy over the share of rows that are left to each other label set."""
    rows = [{**row, "name": row["other"]} for row in answers["cascade"]]
    if not rows:
        return None
    best = max(rows, key=lambda row: (row["accuracy"], -row["deferred"]))
    alone = next(row for row in rows if row["name"] == best["name"])
    names = list(dict.fromkeys(row["name"] for row in rows))
    return Figure(
        name="cascade",
        title="What if another label set answers where this one is not sure?",
        says=f"Of the {best['gold_rows']:,} gold rows that “{best['name']}” labelled, too, it is right on "
        f"{percent(alone['accuracy'])} alone; best with {percent(best['deferred'])} of them left to the other: "
        f"{percent(best['accuracy'])}.{_of_all_gold(answers, best['gold_rows'])}",
        how="Rows of which the labels are least sure go to the other label set first: none at the left, all at the "
        "right. `engine eval STUDENT LABELLED --defer-to TEACHER --target …` chooses a threshold.",
        spec=charts.curves(
            x=alt.X("deferred:Q", title="share of rows left to it", axis=alt.Axis(format="%", tickCount=5)),
            y=alt.Y(
                "accuracy:Q", title="share that is right", scale=charts.LOOSE, axis=alt.Axis(format="~%", tickCount=5)
            ),
            names=names,
            named=MOST_BARS,
            tooltip=charts.tips(
                name="label set",
                deferred="left to it|.0%",
                rows="rows|,",
                most_confidence="confidence at most|.4f",
                accuracy="right|.2%",
            ),
        ),
        rows=rows,
        columns={
            "name": ("label set", "text"),
            "deferred": ("left to it", "share"),
            "rows": ("rows", "whole"),
            "most_confidence": ("confidence at most", "number"),
            "accuracy": ("right", "share"),
        },
        zoom={"x": "deferred", "y": "accuracy"},
    )


def _of_all_gold(answers: Answers, rows: int) -> str:
    """How good the labels are on all gold rows, where the other label set has labels of ``rows`` of them alone."""
    of_all = answers.one("accuracy")
    if of_all["rows"] == rows:
        return ""
    return f" (Alone, of all {of_all['rows']:,} gold rows: {percent(of_all['accuracy'])}.)"


def _different_pairs(answers: Answers) -> list[Row]:
    """Pairs of different predictions of the same rows, with the names of their classes and label sets."""
    names = answers.names
    return [
        {
            **row,
            "of": row["prediction"],
            "other": row["other_prediction"],
            "name": f"{names[row['prediction']]} / {names[row['other_prediction']]}",
            "sets": f"{row['label_set']} / {row['other']}",
        }
        for row in answers["disagreement"]
        if row["prediction"] != row["other_prediction"]
    ]
