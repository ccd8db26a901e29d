"""``engine report``."""

from typing import Any

import click

from cli.options.rounds import gold_rounds_option
from cli.options.shared import format_option, named_place
from cli.output import note, print_summary, shows_tables
from cli.progress import progress


@click.command("report")
@click.argument("store", metavar="STORE")
@click.option(
    "--out",
    callback=named_place,
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="The page, a path or a URL; an earlier one is replaced, when the new one is complete.",
)
@click.option("--labels", metavar="NAME", help="The label set that is shown, if there are several.")
@gold_rounds_option
@click.option(
    "--run",
    "runs",
    metavar="DIR",
    multiple=True,
    help="Folder of `engine train` or `engine finetune`: adds its curves and a row of the table. Several times.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=300.0, show_default=True, help="Seconds, of all questions."
)
@click.option("--memory", default="4GB", show_default=True, help="Limit of the questions' memory.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Show a store in one page of HTML, with plots and rows to search.

    \b
    The page is one file that loads nothing: it can be sent to anybody. It answers the questions of `engine audit`
    as far as the store can, shows the most telling rows, and compares trainings.

    \b
    Example:
      engine report reviews.store --run teacher --run student --out report.html
    """
    from engine.report.report import ReportConfig, make_report
    from store.sql.process import Limits

    config = ReportConfig(
        store=options["store"],
        out=options["out"],
        labels=options["labels"],
        rounds=options["rounds"] or None,
        runs=options["runs"],
        limits=Limits(timeout=options["timeout"], memory=options["memory"]),
    )
    with progress(ctx) as tick:
        report = make_report(config, tick=tick)
    if report.note is not None:
        note(report.note)
    summary = {
        name: getattr(report, name) for name in ("out", "bytes", "labels", "figures", "tables", "runs", "seconds")
    }
    if shows_tables(options["format"]):
        summary |= {name: ", ".join(summary[name]) for name in ("figures", "tables")}
    print_summary(summary, options["format"])
