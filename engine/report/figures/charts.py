"""Shapes of plots, as Vega-Lite: histogram, bars, lines, points, matrix. Other modules decide what they show.

Rows come later, as the data set ``rows``, under field names that are ours: a class name or another text of the user is
a value, of a row or of a scale, and never part of an expression. Colours are the page's own (``var(--…)``), so that
light and dark need no other plot; what colours tell apart, shapes, dashes or words tell apart too.

The page sets the parameter ``chosen``: null, or the index of the class that is looked at. A row's field ``of`` is that
index: in histograms and curves null is for all classes together, in bars and matrices ``of`` and ``other`` say whose
it is.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import altair as alt
from altair.utils.schemapi import debug_mode

from engine.report.figures.style import ACCENT, INK, PAPER, Spec, style_of

Zoom = Sequence[Literal["x", "y"]]

EXACT = "datum.of === chosen"
"""Keeps the rows of the class that is chosen: those of all together where none is."""

MEMBER = "chosen === null || datum.of === chosen || datum.other === chosen"
"""Is true of rows that have to do with the class that is chosen."""

LOOSE = alt.Scale(zero=False, nice=False, padding=10)  # room for marks at the ends
WHOLE = alt.Axis(tickMinStep=1, format="d")
_WHEEL = "wheel![event.ctrlKey || event.metaKey]"  # a wheel alone scrolls the page


@contextmanager
def unchecked() -> Iterator[None]:
    """Inside, Altair does not compare every part of a spec with its schema: that takes most of its time."""
    with debug_mode(False):
        yield


def tips(**fields: str) -> list[alt.Tooltip]:
    """The tooltip at the pointer: field → heading, with a format behind ``|``."""
    split = {field: heading.partition("|") for field, heading in fields.items()}
    return [
        alt.Tooltip(f"{field}:Q", title=title, format=form) if form else alt.Tooltip(f"{field}:N", title=title)
        for field, (title, _, form) in split.items()
    ]


def histogram(*, title: str, tooltip: list[alt.Tooltip]) -> Spec:
    """Bars from ``low`` to ``high``, as high as ``rows``."""
    chart = (
        _rows()
        .transform_filter(EXACT)
        .mark_bar(color=ACCENT, stroke=PAPER, clip=True)
        .encode(
            x=alt.X("low:Q", bin="binned", title=title, scale=alt.Scale(zero=False)),
            x2="high:Q",
            y=alt.Y("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=4)),
            tooltip=tooltip,
        )
    )
    return _finished(chart, height=190, zoom=("x",))


def bars(*, count: int, value: str, title: str, form: str, tooltip: list[alt.Tooltip], mark: str | None = None) -> Spec:
    """``count`` bars, one for each ``name``, as long as the field ``value`` and with it in words.

    Where ``mark`` names a field, an upright line shows it.
    """
    shown = alt.condition(MEMBER, alt.value(1), alt.value(0.25))
    base = _rows().encode(
        y=alt.Y(
            "name:N",
            sort=None,
            title=None,
            axis=alt.Axis(domain=False, ticks=False, labelColor=INK, labelOverlap=False),
        ),
        tooltip=tooltip,
    )
    axis = alt.Axis(format="~%" if form.endswith("%") else form, tickCount=4)
    long = base.mark_bar(color=ACCENT, height={"band": 0.72}).encode(
        x=alt.X(f"{value}:Q", title=title, axis=axis, scale=alt.Scale(zero=True, nice=True)), opacity=shown
    )
    said = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(
        x=f"{value}:Q", text=alt.Text(f"{value}:Q", format=form), opacity=shown
    )
    layers = [long, said]
    if mark is not None:
        line = base.mark_tick(color=INK, thickness=3, height={"band": 0.9}).encode(x=f"{mark}:Q", opacity=shown)
        layers = [long, line, said.encode(x=alt.X("far:Q"))]
    chart: Any = alt.layer(*layers)
    if mark is not None:
        chart = chart.transform_calculate(far=f"max(datum.{value}, datum.{mark})")
    return _finished(chart, height=_height(count, least=24, most=60))


def lines(*, x: alt.X, series: dict[str, str], y: str, tooltip: list[alt.Tooltip], zoom: Zoom = ()) -> Spec:
    """A line with its own marks for each of ``series``: field → its name in the legend."""
    names = {field: json.dumps(name) for field, name in series.items()}
    called = "".join(f"datum.key === '{field}' ? {name} : " for field, name in names.items())
    style = style_of(list(series.values()), named=len(series))
    base = (
        _rows()
        .transform_filter(EXACT)
        .transform_fold(list(series), as_=["key", "value"])
        .transform_filter("isValid(datum.value)")
        .transform_calculate(name=f"{called}null")
        .encode(x=x, y=alt.Y("value:Q", title=y, scale=LOOSE, axis=alt.Axis(format="~%", tickCount=5)), tooltip=tooltip)
    )
    line = base.mark_line(clip=True).encode(style["color"], style["dash"])
    point = base.mark_point(filled=True, size=70, opacity=1, clip=True).encode(style["color"], style["shape"])
    return _finished(alt.layer(line, point), height=210, zoom=zoom)


def curves(
    *,
    x: alt.X,
    y: alt.Y,
    names: list[str],
    named: int,
    tooltip: list[alt.Tooltip],
    sparse: bool = False,
    keep: str = "true",
) -> Spec:
    """A line for each value of the field ``name``.

    Args:
        x: across.
        y: down.
        names: the values of ``name``.
        named: how many of them are in the legend.
        tooltip: what is shown where the pointer is.
        sparse: whether only those points are marked whose field ``mark`` is true.
        keep: an expression that says which rows are shown.
    """
    style = style_of(names, named=named)
    base = _rows().transform_filter(keep).encode(x=x, y=y, tooltip=tooltip)
    line = base.mark_line(clip=True, strokeWidth=1.8).encode(style["color"], style["dash"])
    marked = base.transform_filter("datum.mark") if sparse else base
    point = marked.mark_point(filled=True, size=60, opacity=1, clip=True).encode(style["color"], style["shape"])
    layers = [line, point, base.mark_point(size=200, opacity=0, clip=True)] if sparse else [line, point]
    return _finished(alt.layer(*layers), height=230, zoom=("x", "y"))


def around(*, x: str, y: str, middle: str, title: str, tooltip: list[alt.Tooltip]) -> Spec:
    """A stem for each row, from the field ``middle``, which is a line of its own, to ``y``."""
    base = _rows().encode(x=alt.X(f"{x}:Q", title=x, scale=LOOSE, axis=WHOLE), tooltip=tooltip)
    whole = base.mark_rule(color=INK, strokeDash=[6, 3]).encode(
        y=f"max({middle}):Q", x=alt.value(0), x2=alt.value("width")
    )
    stem = base.mark_rule(color=ACCENT, strokeWidth=2, clip=True).encode(y=f"{y}:Q", y2=f"{middle}:Q")
    dot = base.mark_point(filled=True, color=ACCENT, size=70, opacity=1, clip=True).encode(
        y=alt.Y(f"{y}:Q", title=title, scale=LOOSE, axis=alt.Axis(format="~%", tickCount=5))
    )
    return _finished(alt.layer(stem, dot, whole), height=210, zoom=("x",))


def diagonal(*, tooltip: list[alt.Tooltip]) -> Spec:
    """``accuracy`` over ``mean_confidence``, the gap to the diagonal, and how many ``rows`` a mark stands for."""
    unit = alt.Scale(domain=[0, 1], padding=8, nice=False)
    base = _rows().transform_filter(EXACT)
    ideal = (
        alt.Chart(alt.InlineData(values=[{"at": 0}, {"at": 1}]))
        .mark_line(color=INK, strokeDash=[6, 3], clip=True)
        .encode(x="at:Q", y="at:Q")
    )
    across = alt.X("mean_confidence:Q", title="mean confidence", scale=unit, axis=alt.Axis(format="%", tickCount=5))
    gap = base.mark_rule(color=ACCENT, strokeWidth=2, clip=True).encode(
        x=across, y="accuracy:Q", y2="mean_confidence:Q"
    )
    dot = base.mark_point(filled=True, color=ACCENT, opacity=0.85, clip=True).encode(
        x=across,
        y=alt.Y("accuracy:Q", title="share that is right", scale=unit, axis=alt.Axis(format="%", tickCount=5)),
        size=alt.Size("rows:Q", scale=alt.Scale(range=[30, 500]), legend=None),
        tooltip=tooltip,
    )
    return _finished(alt.layer(gap, dot, ideal), height=260, zoom=("x", "y"))


def intervals(*, count: int, series: list[str], tooltip: list[alt.Tooltip]) -> Spec:
    """For each of ``count`` names and ``key`` of ``series`` a line from ``low`` to ``high``, marked at ``value``."""
    style = style_of(series, named=len(series), field="key")
    base = _rows().encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(domain=False, labelColor=INK, labelOverlap=False)),
        yOffset=alt.YOffset("key:N", sort=None, scale=alt.Scale(domain=series, paddingOuter=0.6)),
        tooltip=tooltip,
    )
    across = alt.X("low:Q", title="share of rows, with 95 % intervals", scale=LOOSE, axis=alt.Axis(format="~%"))
    line = base.mark_rule(strokeWidth=2, clip=True).encode(across, style["color"], style["dash"], x2="high:Q")
    ends = [
        base.mark_tick(thickness=2, height=12, clip=True).encode(style["color"], x=f"{end}:Q")
        for end in ("low", "high")
    ]
    mark = base.mark_point(filled=True, size=80, opacity=1, clip=True).encode(
        style["color"], style["shape"], x="value:Q"
    )
    return _finished(alt.layer(line, *ends, mark), height=_height(count, least=44, most=70), zoom=("x",))


def matrix(*, count: int, down: str, across: str, said: bool, tooltip: list[alt.Tooltip]) -> Spec:
    """``count`` classes down and across; a cell is darker for a larger ``share``, which it says where ``said``."""
    shown = alt.condition(MEMBER, alt.value(1), alt.value(0.15))
    base = _rows().encode(
        x=alt.X(
            "across:N",
            sort=None,
            title=across,
            axis=alt.Axis(
                orient="top",
                labelAngle=-40 if said else -90,
                labelColor=INK,
                domain=False,
                labelOverlap=False,
                labelLimit=110,
            ),
        ),
        y=alt.Y("down:N", sort=None, title=down, axis=alt.Axis(labelColor=INK, domain=False)),
        tooltip=tooltip,
    )
    cell = base.mark_rect(color=ACCENT, stroke=PAPER, strokeWidth=1).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 0.62]), legend=None),
        opacity=shown,
    )
    words = base.mark_text(color=INK, fontSize=13).encode(text=alt.Text("share:Q", format=".0%"), opacity=shown)
    return _finished(alt.layer(cell, words) if said else alt.layer(cell), height=_height(count, least=20, most=95))


def _height(count: int, *, least: int, most: int) -> int:
    """Pixels of ``count`` bars or rows, so that few of them fill a plot and many can be read."""
    return count * max(least, min(most, 190 // max(1, count)))


def _rows() -> alt.Chart:
    return alt.Chart(alt.NamedData("rows"))


def _finished(chart: Any, *, height: int, zoom: Zoom = ()) -> Spec:
    """The spec, as wide as the page lets it be; ``zoom`` are the channels that can be zoomed and moved."""
    chart = chart.properties(width="container", height=height).add_params(alt.param(name="chosen", value=None))
    if zoom:
        chart = chart.add_params(alt.selection_interval(name="zoom", bind="scales", encodings=zoom, zoom=_WHEEL))
    spec: Spec = chart.to_dict(validate=False)
    spec.pop("config", None)
    return spec
