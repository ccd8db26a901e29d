"""One plot of a report: what it asks, what it says in words, its spec, and the numbers behind it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from engine.report.answers import Row

Form = Literal["text", "whole", "share", "number"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plot and its numbers.

    Attributes:
        name: of the question that it answers.
        title: the question, in plain words.
        says: the answer, in a sentence or two.
        how: how to read the plot.
        spec: Vega-Lite, without rows.
        rows: what is drawn.
        columns: of the table of numbers: field → heading and how it is written.
        chosen_by: how the choice of a class acts. ``of``: there are rows for all together and for each class;
            ``member``: rows belong to classes; None: not at all.
        zoom: the channels that can be zoomed, and the field of each.
    """

    name: str
    title: str
    says: str
    how: str
    spec: dict[str, Any]
    rows: list[Row]
    columns: dict[str, tuple[str, Form]]
    chosen_by: Literal["of", "member"] | None = None
    zoom: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Plots that belong together.

    Attributes:
        name: for links.
        title: over them.
        figures: one at least.
    """

    name: str
    title: str
    figures: list[Figure]


def percent(share: float | None, digits: int = 1) -> str:
    """``0.123`` → ``12.3 %``."""
    return "—" if share is None else f"{100 * share:.{digits}f} %"


def together(whole: list[Row], parts: list[Row]) -> list[Row]:
    """Rows of all classes together, whose ``of`` is null, and rows of each class, whose ``of`` is its index."""
    return [{"of": None, **row} for row in whole] + [
        {"of": row["prediction"], **{name: value for name, value in row.items() if name != "prediction"}}
        for row in parts
    ]
