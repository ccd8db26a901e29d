"""``engine demo``."""

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.notes import say
from cli.options.shared import format_option, named_place
from cli.output import note, print_rows
from cli.progress import progress

if TYPE_CHECKING:
    from engine.demo.path import DemoResult


@click.command("demo")
@click.option("--out", callback=named_place, metavar="DIR", help="Keep everything here.")
@click.option("--rows", type=click.IntRange(min=100), default=12_000, show_default=True, help="Unlabelled reviews.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, *, out: str | None, rows: int, format: str | None) -> None:  # noqa: A002
    """Run the whole path on generated reviews, in a minute or two.

    Makes gold, unlabelled and test text, fine-tunes a teacher, labels, queries, distils a student, and prints the
    paper's four rows: every figure is measured as you watch. Last comes a page of HTML that shows all of it.

    \b
    Example:
      engine demo --out demo
    """
    format_ = format or "table"
    if out is None:
        with tempfile.TemporaryDirectory(prefix="engine-demo-") as folder:
            _show(ctx, Path(folder), rows, format_)
        say("Nothing was kept; pass --out DIR to look at the report, the store and the models.")
        return
    place = _new_folder(out)
    _show(ctx, place, rows, format_)
    say(f'Kept in {place}. Ask it: engine sql {place / "reviews.store"} "SELECT * FROM reviews LIMIT 5"')
    say(f"Look at it: {place / 'report.html'}")


def _new_folder(out: str) -> Path:
    """The folder ``out``, which is made.

    Raises:
        click.BadParameter: it is a file, or has something in it.
    """
    from engine.outputs.places import folder_on_this_machine

    place = folder_on_this_machine(out)
    if place.exists() and not place.is_dir():
        raise click.BadParameter(f"{place} is a file; name a new folder", param_hint="--out")
    if place.exists() and any(place.iterdir()):
        raise click.BadParameter(f"{place} is not empty; name a new folder", param_hint="--out")
    place.mkdir(parents=True, exist_ok=True)
    return place


def _show(ctx: click.Context, folder: Path, rows: int, format_: str) -> None:
    from engine.demo.path import run_demo

    with progress(ctx) as tick:
        result: DemoResult = run_demo(folder, rows=rows, say=note, tick=tick)
    note(f"labelled {result.label_rows_per_second:,.0f} rows/s; the store says:\n  {result.query}")
    for row in result.answer.to_pylist():
        note(f"  {row['class']}: {row['rows']:,} rows, mean confidence {row['confidence']}")
    print_rows([dataclasses.asdict(arm) for arm in result.arms], format_)
