"""Figures → PNG, SVG and PDF for a paper, in the light colours of the page, with nothing that moves."""

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import vl_convert

from engine.comparison.plots.figures import comparison_figures
from engine.comparison.results import Results
from engine.comparison.summary import Comparison
from engine.errors import InputError
from engine.report.figures.figure import Figure
from engine.report.figures.style import CONFIG
from store.storage.atomic_file import write_file

FORMATS = ("png", "svg", "pdf")
_WIDTH = 560
_LETTERS = 88
_SCALE = 2.0
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


@dataclass(frozen=True, kw_only=True)
class WrittenPlots:
    """Files of plots.

    Attributes:
        files: that were written, each whole.
        left_out: why a plot has no file, by its name.
    """

    files: list[Path]
    left_out: dict[str, str]


def write_plots(
    results: Results, comparison: Comparison, folder: Path, *, formats: Sequence[str] = FORMATS
) -> WrittenPlots:
    """Write every figure that has something to show into ``folder``, which is made if need be; old ones are replaced.

    Args:
        results: of an experiment.
        comparison: what `engine.comparison.summary.summarise` made of them.
        folder: for ``NAME.FORMAT``.
        formats: some of `FORMATS`.

    Raises:
        InputError: a format is unknown, or the folder cannot be written.
    """
    unknown = [one for one in formats if one not in FORMATS]
    if unknown:
        raise InputError(f"plots cannot be written as {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    figures = comparison_figures(results, comparison)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for figure in figures.shown:
            spec = still(figure)
            for format_ in formats:
                written.append(folder / f"{figure.name}.{format_}")
                write_file(written[-1], _drawn(spec, format_))
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); name another folder for plots") from None
    return WrittenPlots(files=written, left_out=figures.left_out)


def still(figure: Figure) -> dict[str, Any]:
    """The spec with its rows, title, size and colours, complete in itself."""
    spec = {
        **figure.spec,
        "title": {
            "text": figure.title,
            "subtitle": textwrap.wrap(figure.says, _LETTERS),
            "anchor": "start",
            "frame": "group",
            "offset": 14,
        },
        "width": _WIDTH,
        "datasets": {**figure.spec.get("datasets", {}), "rows": figure.rows},
        "padding": 12,
        "config": {**CONFIG, "font": _FONT, "background": "var(--paper)", "title": _TITLE},
    }
    text = re.sub(r"var\((--[a-z0-9-]+)\)", lambda found: _light()[found[1]], json.dumps(spec))
    drawn: dict[str, Any] = json.loads(text)
    return drawn


_TITLE = {"color": "var(--ink)", "subtitleColor": "var(--muted)", "fontSize": 15, "subtitleFontSize": 12}


def _drawn(spec: dict[str, Any], format_: str) -> bytes | str:
    if format_ == "svg":
        return vl_convert.vegalite_to_svg(spec)
    return vl_convert.vegalite_to_pdf(spec) if format_ == "pdf" else vl_convert.vegalite_to_png(spec, scale=_SCALE)


@cache
def _light() -> dict[str, str]:
    """The page's light colours, by their names; they stand first in its style sheet."""
    first = files("engine.report").joinpath("page.css").read_text("utf-8").partition("}")[0]
    return dict(re.findall(r"(--[a-z0-9-]+):\s*(#[0-9a-f]{6});", first))
