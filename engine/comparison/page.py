"""A comparison → one HTML page: figures of the summary, the tables with their sentences, the plots."""

from importlib.metadata import version
from pathlib import Path

from engine.comparison.plots.figures import comparison_figures
from engine.comparison.results import DISTILLED, Results
from engine.comparison.sentences import name_of, p_of, points, rounded
from engine.comparison.summary import Comparison
from engine.report.figures.figure import percent
from engine.report.page import Page, write_page
from engine.report.tiles import Tile
from store.storage.atomic_file import write_file


def write_comparison_page(results: Results, comparison: Comparison, out: Path) -> None:
    """Write the page into ``out``, whole or not at all, unless it is there.

    Raises:
        OSError: it cannot be written.
    """
    page = comparison_page(results, comparison)
    if not out.exists() or out.read_text("utf-8") != page:
        write_file(out, page)


def comparison_page(results: Results, comparison: Comparison) -> str:
    """The HTML of the page, which needs no other file and asks no server."""
    figures = comparison_figures(results, comparison)
    html = comparison.as_html()
    return write_page(
        Page(
            title="Is distilling worth it?",
            subtitle=f"{len(results.runs)} trainings, judged on the same {len(results.gold):,} test rows",
            tiles=_tiles(results, comparison),
            sections=[figures.section] if figures.shown else [],
            runs=[],
            tables=[],
            lacking={},
            classes=[],
            choices=[],
            footer=f"Made by engine {version('softlabel-engine')}; this file is complete and asks no server.",
            lead=f'<section aria-label="Results"><div class="panel">{html}</div></section>',
        )
    )


def _tiles(results: Results, comparison: Comparison) -> list[Tile]:
    tiles = [
        Tile(
            name="Distilled",
            value=percent(row.accuracy, 2),
            note=f"accuracy; 95 % interval {percent(row.low, 2)} – {percent(row.high, 2)}",
        )
        for row in comparison.rows
        if row.recipe == results.main(DISTILLED)
    ]
    tiles += [
        Tile(
            name=f"Against {name_of(one.second)}",
            value=f"{points(one.difference)} points",
            note=f"95 % interval {points(one.low)} to {points(one.high)}; Holm's {p_of(one.holm_p)}",
        )
        for one in comparison.contrasts
    ]
    worth = comparison.worth
    if worth is not None and worth.equal is not None and worth.equal > worth.labels:
        beyond = worth.equal > worth.trusted
        saved = f"> {worth.trusted - worth.labels:,}" if beyond else f"≈ {rounded(worth.equal - worth.labels)}"
        note = "labels that direct training would need beyond those that the teacher saw"
        tiles.append(Tile(name="Worth in labels", value=saved, note=note))
    return tiles
