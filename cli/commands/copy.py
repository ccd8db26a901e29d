"""``engine copy``."""

import dataclasses
from typing import Any

import click

from cli.options.shared import format_option
from cli.output import note, print_summary
from cli.progress import progress


@click.command("copy")
@click.argument("store", metavar="STORE")
@click.argument("to", metavar="TO")
@click.option(
    "--labels",
    metavar="NAME",
    multiple=True,
    help="Copy only this label set, with its token ids and selections; may be repeated. [default: all]",
)
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Copy a store, and verify each file on the way.

    TO is a new folder. It becomes a store only when all is there and every file has the hash of its record; a damaged
    file is named (exit code 4). If the command is stopped, run it again to go on. A store that is being labelled is
    copied as it is now; run it again later to add what came since.

    \b
    Example:
      engine copy reviews.store /backup/reviews.store
      engine copy reviews.store small.store --labels teacher
    """
    from cli.main import OK
    from store.copying.copy_store import copy_store
    from store.storage import open_storage
    from store.store import open_store

    store, target = open_store(options["store"]), open_storage(options["to"])
    with progress(ctx) as tick:
        copied = copy_store(store, target, labels=options["labels"], tick=tick)
    summary = dataclasses.asdict(copied)
    for text in summary.pop("notes"):
        note(text)
    print_summary(summary, options["format"])
    return OK
