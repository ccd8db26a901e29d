"""Tiles, figures, tables and runs → one HTML file that needs nothing else and asks nobody.

Its policy allows the styles and the two scripts that are in it, by their hashes, and nothing from anywhere. Texts that
are there from the beginning are escaped; all others wait in a block of JSON, and ``page.js`` makes text of them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import vl_convert

from engine.report.figures.figure import Figure, Section, percent
from engine.report.figures.style import CONFIG
from engine.report.names import short
from engine.report.runs import TrainingRun
from engine.report.tables import Table
from engine.report.tiles import Tile

_POINT = "Point at a mark for its figures."
_ZOOM = "Drag to move a plot; zoom with its buttons, with Ctrl and the wheel, or by pinching."
_CHOSEN = "A class that is chosen, above or by a click on a bar, is chosen for all plots and for the table."
_RUN_COLUMNS = ("run", "model", "procedure", "sample size", "training seconds", "accuracy", "macro F1", "rows/s")


@dataclass(frozen=True, kw_only=True)
class Page:
    """The contents of the page.

    Attributes:
        title: over all.
        subtitle: below it.
        tiles: figures of the summary.
        sections: plots.
        runs: of the table that compares them.
        tables: rows to look at.
        lacking: what could not be asked, and why.
        classes: what is shown of class names.
        choices: indices of the classes that can be chosen.
        footer: who made it, and when.
        note: said before all figures; None if there is nothing to say.
        lead: HTML before the plots, with every text in it escaped already.
    """

    title: str
    subtitle: str
    tiles: list[Tile]
    sections: list[Section]
    runs: list[TrainingRun]
    tables: list[Table]
    lacking: dict[str, str]
    classes: list[str]
    choices: list[int]
    footer: str
    note: str | None = None
    lead: str = ""


def write_page(page: Page) -> str:
    """The HTML of ``page``."""
    css, js, bundle = _file("page.css"), _file("page.js"), _bundle()
    links = [(one.name, one.title) for one in page.sections]
    links += [("rows-to-look-at", "Rows to look at")] if page.tables else []
    return Template(_file("page.html")).substitute(
        policy=_policy(scripts=(bundle, js), style=css),
        css=css,
        js=js,
        bundle=bundle,
        data=_json(_data(page)),
        title=escape(page.title),
        subtitle=escape(page.subtitle),
        links="".join(f'<a href="#{name}">{escape(title)}</a>' for name, title in links),
        note="" if page.note is None else f'<p class="note">{_words(page.note)}</p>',
        tiles="".join(map(_tile, page.tiles)),
        lead=page.lead,
        hints=_hints(page),
        sections="\n".join(_section(one, page.runs if one.name == "training" else []) for one in page.sections),
        tables=_tables(page.tables) if page.tables else "",
        lacking=_lacking(page.lacking) if page.lacking else "",
        footer=_words(page.footer),
    )


def _hints(page: Page) -> str:
    """How the page is used, as far as it moves."""
    moves = any(figure.zoom for section in page.sections for figure in section.figures)
    return "\n".join([_POINT, *([_ZOOM] if moves else []), *([_CHOSEN] if page.choices else [])])


def _file(name: str) -> str:
    return files("engine.report").joinpath(name).read_text("utf-8")


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed, which has the interpreter that needs no eval; it takes seconds to make."""
    return (
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )


def _policy(*, scripts: Iterable[str], style: str) -> str:
    allowed = " ".join(map(_hash, scripts))
    return f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Any) -> str:
    """JSON in which no tag or comment can begin or end, and no line either."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def _data(page: Page) -> dict[str, Any]:
    shown = ("name", "spec", "rows", "columns", "chosen_by", "zoom")
    figures = [asdict(figure) for section in page.sections for figure in section.figures]
    return {
        "classes": page.classes,
        "choices": page.choices,
        "config": CONFIG,
        "figures": [{name: figure[name] for name in shown} for figure in figures],
        "tables": [asdict(table) for table in page.tables],
    }


def _words(text: str) -> str:
    """Escaped, with code where it stands between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _tile(tile: Tile) -> str:
    return (
        f'<div><dt>{escape(tile.name)}</dt><dd class="value"><bdi>{escape(tile.value)}</bdi></dd>'
        f'<dd class="of">{escape(tile.note)}</dd></div>'
    )


def _section(section: Section, runs: list[TrainingRun]) -> str:
    table = _run_table(runs) if runs else ""
    plots = "".join(map(_figure, section.figures))
    return (
        f'<section aria-labelledby="{section.name}"><h2 id="{section.name}">{escape(section.title)}</h2>'
        f'{table}<div class="figures">{plots}</div></section>'
    )


def _figure(figure: Figure) -> str:
    return (
        f'<figure id="figure-{figure.name}"><figcaption><h3>{escape(figure.title)}</h3>'
        f'<p class="says">{escape(figure.says)}</p></figcaption>'
        f'<div class="plot" role="group" aria-label="{escape(figure.title)}"></div>'
        '<p class="empty" hidden>No such rows of this class.</p><div class="tools"></div>'
        f'<p class="how">{_words(figure.how)}</p>'
        '<details><summary>The numbers</summary><div class="scroll" tabindex="0"></div></details></figure>'
    )


def _run_table(runs: list[TrainingRun]) -> str:
    heads = "".join(f'<th scope="col"{_right(name)}>{name}</th>' for name in _RUN_COLUMNS)
    lines = "".join(f"<tr>{''.join(map(_run_cell, _RUN_COLUMNS, _run_values(run)))}</tr>" for run in runs)
    return (
        f'<div class="panel cards"><div class="scroll" id="runs"><table><thead><tr>{heads}</tr></thead>'
        f'<tbody>{lines}</tbody></table></div><p class="how">Accuracy, macro F1 and rows/s are those of the '
        "held-out rows of <code>--eval</code>, on the machine that trained.</p></div>"
    )


def _run_values(run: TrainingRun) -> list[str]:
    unjudged = "not judged" if run.done else f"not done; {run.steps or 0:,} steps"
    return [
        short(run.name),
        "—" if run.model is None else short(run.model),
        "—" if run.procedure is None else short(run.procedure),
        "—" if run.rows is None else f"{run.rows:,}",
        "—" if run.seconds is None else f"{run.seconds:,.1f}",
        unjudged if run.accuracy is None else percent(run.accuracy),
        "—" if run.macro_f1 is None else f"{run.macro_f1:.4f}",
        "—" if run.rows_per_second is None else f"{run.rows_per_second:,.0f}",
    ]


def _run_cell(heading: str, value: str) -> str:
    return f'<td data-heading="{heading}"{_right(heading)}><bdi>{escape(value)}</bdi></td>'


def _right(heading: str) -> str:
    return "" if heading in _RUN_COLUMNS[:3] else ' class="number"'


def _tables(tables: list[Table]) -> str:
    kinds = "".join(
        f'<label><input type="radio" name="kind" value="{table.name}"{" checked" if number == 0 else ""}>'
        f"{escape(table.title)} ({len(table.rows)})</label>"
        for number, table in enumerate(tables)
    )
    return (
        '<section aria-labelledby="rows-to-look-at"><h2 id="rows-to-look-at">Rows to look at</h2><div class="panel">'
        f'<fieldset class="kinds"><legend class="how">Which rows</legend>{kinds}</fieldset><p id="kind-says"></p>'
        '<div class="search"><input type="search" id="search" placeholder="Search ids, classes and texts" '
        'aria-label="Search the rows"><span id="count" role="status"></span></div>'
        '<div class="scroll cards" id="rows" tabindex="0"></div>'
        '<button type="button" id="more" hidden></button></div></section>'
    )


def _lacking(lacking: dict[str, str]) -> str:
    lines = "".join(f"<li><b>{escape(name)}</b>: <bdi>{_words(why)}</bdi></li>" for name, why in lacking.items())
    return (
        f'<section class="panel"><details><summary>What this store cannot say ({len(lacking)})</summary>'
        f"<ul>{lines}</ul></details></section>"
    )
