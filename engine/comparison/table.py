"""Rows of a comparison → its two tables, as text, Markdown, LaTeX and HTML: how good the arms are, and at what cost."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.comparison.statistics.arms import ArmSummary
from engine.notebook import html_table

_NONE = "–"
_WIDTH = 1_000
_WORDS = {"arm", "model", "procedure"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "−": "$-$",
    "×": r"$\times$",
    "δ": r"$\delta$",
    "–": "--",
    "√": r"$\surd$",
    "⁶": "$^6$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table in words.

    Attributes:
        title: over it.
        headings: of the columns; the first is the arm.
        rows: a cell for each.
    """

    title: str
    headings: list[str]
    rows: list[list[str]]


_Cell = Callable[[ArmSummary], str]
_ARM: dict[str, _Cell] = {
    "arm": lambda row: row.arm,
    "labels": lambda row: f"{row.labels:,}",
    "text rows": lambda row: f"{row.text_rows:,}" if row.text_rows else _NONE,
}
_QUALITY: dict[str, _Cell] = {
    "seeds": lambda row: str(row.seeds),
    "accuracy, % [95 %]": lambda row: f"{_percent(row.accuracy)} [{_percent(row.low)}, {_percent(row.high)}]",
    "seed SD": lambda row: _NONE if row.seed_sd is None else _percent(row.seed_sd),
    "range": lambda row: _NONE if row.seeds == 1 else f"{_percent(row.least)}–{_percent(row.most)}",
    "macro F1, %": lambda row: _percent(row.macro_f1),
    "log-loss": lambda row: f"{row.log_loss:.4f}",
    "ECE, %": lambda row: _percent(row.ece),
    "agreement, %": lambda row: _NONE if row.agreement is None else _percent(row.agreement),
}
_COST: dict[str, _Cell] = {
    "model": lambda row: _model(row.model),
    "procedure": lambda row: row.procedure,
    "parameters": lambda row: _millions(row.parameters),
    "MB": lambda row: f"{row.megabytes:,.1f}",
    "steps": lambda row: f"{row.steps:,.0f}",
    "training, s": lambda row: f"{row.training_seconds:,.1f}",
    "labelling, s": lambda row: _NONE if row.labelling_seconds is None else f"{row.labelling_seconds:,.1f}",
    "rows/s": lambda row: _speed(row),
    "latency, ms": lambda row: _NONE if row.latency_ms is None else f"{row.latency_ms:.2f}",
    "cost": lambda row: _NONE if row.cost is None else f"{row.cost:,.2f}",
}


def make_tables(rows: Sequence[ArmSummary]) -> list[Table]:
    """How good the arms are, and at what cost; speeds and prices have columns only where one is known."""
    unknown = {
        "rows/s": all(row.rows_per_second is None for row in rows),
        "latency, ms": all(row.latency_ms is None for row in rows),
        "cost": all(row.cost is None for row in rows),
        "agreement, %": all(row.agreement is None for row in rows),
    }
    return [
        _table(title, {name: cell for name, cell in cells.items() if not unknown.get(name)}, rows)
        for title, cells in (("How good", {**_ARM, **_QUALITY}), ("At what cost", {**_ARM, **_COST}))
    ]


def as_text(table: Table) -> str:
    """For a terminal."""
    from io import StringIO

    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=box.SIMPLE_HEAD, title=table.title, title_justify="left", title_style="bold", padding=(0, 1))
    for heading in table.headings:
        drawn.add_column(heading, justify="left" if heading in _WORDS else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    file = StringIO()
    Console(file=file, width=_WIDTH, color_system=None, force_terminal=False).print(drawn)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def as_markdown(table: Table) -> str:
    """For a README or an issue."""
    under = ["---" if heading in _WORDS else "---:" for heading in table.headings]
    escaped = [[re.sub(r"([|`<>\\])", r"\\\1", cell) for cell in row] for row in table.rows]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in [table.headings, under, *escaped])
    return f"**{table.title}**\n\n{lines}"


def as_latex(table: Table, *, caption: str) -> str:
    """A ``table*`` for a paper; it needs the package booktabs."""
    columns = "".join("l" if heading in _WORDS else "r" for heading in table.headings)
    lines = [" & ".join(map(latex, row)) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering\small",
            rf"\caption{{{latex(f'{table.title}. {caption}')}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(latex, table.headings)) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
        ]
    )


def as_html(table: Table) -> str:
    """For a notebook or a page."""
    return html_table(table.title, table.headings, table.rows, words=_WORDS)


def latex(text: str) -> str:
    """``text`` as LaTeX prints it."""
    return "".join(_LATEX.get(char, char) for char in text)


def _table(title: str, cells: dict[str, _Cell], rows: Sequence[ArmSummary]) -> Table:
    written = [[_printable(cell(row)) for cell in cells.values()] for row in rows]
    return Table(title=title, headings=list(cells), rows=written)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _millions(number: int) -> str:
    return f"{number / 1e6:.3g}M" if number >= 1e6 else f"{number:,}"


def _model(name: str) -> str:
    """The last part of a path; a hub id as it is."""
    return Path(name).name if Path(name).is_absolute() else name


def _speed(row: ArmSummary) -> str:
    if row.rows_per_second is None:
        return _NONE
    return f"{row.rows_per_second:,.0f} [{row.slowest:,.0f}, {row.fastest:,.0f}]"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
