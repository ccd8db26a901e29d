"""How plots look: the page's colours, what tells series apart without them, and Vega-Lite's configuration."""

from typing import Any

import altair as alt

Spec = dict[str, Any]

ACCENT, INK, MUTED, PAPER = "var(--accent)", "var(--ink)", "var(--muted)", "var(--paper)"
SERIES = [f"var(--series-{number})" for number in range(1, 7)]
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4]]  # five, so that thirty series have each their own look
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CONFIG: Spec = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 130,
        "labelOverlap": "greedy",
        "labelSeparation": 8,
        "labelFlush": False,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "gridColor": "var(--line)",
    },
    "legend": {
        "labelColor": INK,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "orient": "top",
        "direction": "horizontal",
        "columns": 2,
        "labelLimit": 170,
        "symbolSize": 80,
    },
}


def style_of(names: list[str], *, named: int, field: str = "name") -> dict[str, Any]:
    """Colour, shape and dash of a field's values ``names``, of which the first ``named`` are in the legend."""
    legend = alt.Legend(title=None, values=names[:named])
    made: dict[str, tuple[Any, list[Any]]]
    made = {"color": (alt.Color, SERIES), "shape": (alt.Shape, _SHAPES), "dash": (alt.StrokeDash, _DASHES)}
    style = {}
    for channel, (encoding, looks) in made.items():
        cycle = [looks[number % len(looks)] for number in range(len(names))]
        style[channel] = encoding(f"{field}:N", scale=alt.Scale(domain=names, range=cycle), legend=legend)
    return style
