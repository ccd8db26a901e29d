"""``engine demo``."""

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.shared import format_option, named_place
from cli.output import print_rows
from cli.progress import progress

if TYPE_CHECKING:
    from engine.demo.path import DemoResult


@click.command("demo")
@click.option(
    "--out", callback=named_place, type=click.Path(file_okay=False, path_type=Path), help="Keep everything here."
)
@click.option("--rows", type=click.IntRange(min=100), default=12_000, show_default=True, help="Unlabelled reviews.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, *, out: Path | None, rows: int, format: str | None) -> None:  # noqa: A002
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
        click.echo("Nothing was kept; pass --out DIR to look at the report, the store and the models.", err=True)
        return
    if out.exists() and any(out.iterdir()):
        raise click.BadParameter(f"{out} is not empty; name a new folder", param_hint="--out")
    out.mkdir(parents=True, exist_ok=True)
    _show(ctx, out, rows, format_)
    click.echo(f'Kept in {out}. Ask it: engine sql {out / "reviews.store"} "SELECT * FROM reviews LIMIT 5"', err=True)
    click.echo(f"Look at it: {out / 'report.html'}", err=True)


def _show(ctx: click.Context, folder: Path, rows: int, format_: str) -> None:
    from engine.demo.path import run_demo

    quiet = (ctx.obj or {}).get("quiet")

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    with progress(ctx) as tick:
        result: DemoResult = run_demo(folder, rows=rows, say=say, tick=tick)
    say(f"labelled {result.label_rows_per_second:,.0f} rows/s; the store says:\n  {result.query}")
    for row in result.answer.to_pylist():
        say(f"  {row['class']}: {row['rows']:,} rows, mean confidence {row['confidence']}")
    print_rows([dataclasses.asdict(arm) for arm in result.arms], format_)
