"""Figures → the HTML that a notebook shows in place of a ``repr``. No styles, no scripts: notebooks have their own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any


def html_pairs(title: str, pairs: Mapping[str, Any]) -> str:
    """A table of two columns, name and value; what is None is left out."""
    lines = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{escape(_written(value))}</td></tr>'
        for name, value in pairs.items()
        if value is not None
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{lines}</tbody></table>"


def html_table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]], *, words: Collection[str] = ()
) -> str:
    """A table with a line for each row; columns but the first and those in ``words`` are numbers, and to the right."""
    plain = {*headings[:1], *words}
    kinds = ["" if heading in plain else ' class="number"' for heading in headings]
    head = "".join(f'<th scope="col"{kind}>{escape(one)}</th>' for kind, one in zip(kinds, headings, strict=True))
    cells = (
        "".join(f"<td{kind}>{escape(_written(value))}</td>" for kind, value in zip(kinds, row, strict=True))
        for row in rows
    )
    lines = "".join(f"<tr>{one}</tr>" for one in cells)
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1_000 else f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_written(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    return "" if value is None else str(value)
