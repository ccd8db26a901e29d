"""What the plots share: names of arms, their looks, and how a chart becomes a spec.

As in `engine.report.figures.charts`, rows come later, as the data set ``rows``. A plot of several kinds of marks has
them all in it, told apart by the field ``kind``.
"""

from typing import Any

import altair as alt

from engine.comparison.results import ARMS, Recipe
from engine.report.figures.style import Spec, style_of

LOOSE = alt.Scale(zero=False, nice=False, padding=14)


def of_kind(kind: str) -> Any:
    """A chart of the rows of one kind."""
    return alt.Chart(alt.NamedData("rows")).transform_filter(f"datum.kind === '{kind}'")


def finished(*layers: Any, height: int) -> Spec:
    """The spec of these layers, as wide as the page lets it be."""
    spec: Spec = alt.layer(*layers).properties(width="container", height=height).to_dict(validate=False)
    spec.pop("config", None)
    return spec


def looks(arms: list[str]) -> dict[str, Any]:
    """Colour and shape by the field ``arm``; an arm has the same ones in every plot."""
    every = [*ARMS, *(arm for arm in arms if arm not in ARMS)]
    style = style_of(every, named=len(every), field="arm")
    legend = alt.Legend(title=None, values=[arm for arm in every if arm in arms], columns=3, symbolOpacity=1)
    return {channel: style[channel].legend(legend) for channel in ("color", "shape")}


def log_axis(field: str, *, title: str, values: list[float], form: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Title, scale and ticks of a logarithmic axis."""
    return {
        "shorthand": f"{field}:Q",
        "title": title,
        "scale": alt.Scale(type="log", domain=list(domain), nice=False),
        "axis": alt.Axis(values=values, format=form, labelOverlap="greedy"),
    }


def shown(recipe: Recipe) -> str:
    """``distilled, 2,000 labels``."""
    return f"{recipe.arm}, {recipe.labels:,} labels"
