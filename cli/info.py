"""``engine info``."""

from typing import Any

import click

from cli.options import format_option
from cli.output import print_rows, print_summary, shows_tables


@click.command("info")
@click.argument("store", metavar="STORE")
@format_option
def command(**options: Any) -> None:
    """Describe a store: its rows, classes, inputs and families.

    Of each family it says how many shards are complete; then what was appended, and the rounds of gold.

    \b
    Example:
      engine info reviews.store
    """
    import store
    from store.summary import summarise

    format_ = options["format"]
    summary = summarise(store.open(options["store"]))
    if not shows_tables(format_):
        print_rows([summary], format_)
        return
    families: list[dict[str, Any]] = summary.pop("families")
    inputs: list[dict[str, Any]] = summary.pop("inputs")
    appended: list[dict[str, Any]] = summary.pop("appended")
    gold: list[dict[str, Any]] = summary.pop("gold")
    print_summary(summary, format_)
    print_rows(families, format_)
    print_rows(inputs, format_)
    if appended:
        print_rows(appended, format_)
    if gold:
        print_rows(gold, format_)
