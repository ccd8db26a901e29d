"""``engine audit --gold``: add a round of gold."""

import dataclasses
from typing import Any

import click

from cli.notes import say
from cli.options.reading import read_options
from cli.output import print_summary, report_rejects, shows_tables
from cli.progress import progress


def add_gold(ctx: click.Context, options: dict[str, Any]) -> int:
    """Add a round of gold, print its summary, and return the exit code."""
    import engine
    from cli.main import OK, REJECTED

    if options["rounds"] or options["labels"] or options["by"]:
        raise click.UsageError("--round, --labels and --by are for questions; with --gold nothing is asked")
    config = engine.GoldRoundConfig(
        store=options["store"],
        inputs=(*options["gold"], *options["queries"]),
        columns=engine.LabelColumns(id=options["id_"], label=options["label"]),
        options=read_options(options),
        source=options["source"],
        on_bad_row=options["on_bad_row"],
    )
    with progress(ctx) as tick:
        added = engine.add_gold(config, tick=tick)
    summary = dataclasses.asdict(added)
    reasons = summary.pop("reasons")
    are_printed = not shows_tables(options["format"])
    print_summary({**summary, "reasons": reasons} if are_printed else summary, options["format"])
    if not added.added:
        say(
            f"nothing was added: the same labels from the same sources are round {added.round} already. To count them "
            "again, as the latest ones, give another --source"
        )
    report_rejects(added.rejected, reasons, are_printed=are_printed)
    return REJECTED if added.rejected else OK
