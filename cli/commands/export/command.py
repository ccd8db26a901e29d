"""``engine export``: the options of all formats, and which function serves each."""

from typing import Any

import click

from cli.commands.export.store import Splits, export_store
from cli.options.shared import CommaSeparated, format_option

EXPORTERS = {"parquet": export_store, "webdataset": export_store, "hf": export_store}
"""By the value of ``--to``: what exports SOURCE, given the context and the options; it returns the exit code."""


@click.command("export")
@click.argument("source", metavar="STORE")
@click.option("--to", type=click.Choice(list(EXPORTERS)), required=True, help="The format.")
@click.option("--out", metavar="PATH", required=True, help="The folder that is made; it must not exist yet.")
@click.option(
    "--labels",
    metavar="NAME[,NAME...]",
    type=CommaSeparated(),
    help="Label sets to export; of several, each column has the name behind it. [default: the only one]",
)
@click.option("--select", metavar="NAME", help="Export the rows of this selection alone.")
@click.option(
    "--split",
    type=Splits(),
    help="Shares of the rows, as train=0.9,test=0.1, by a hash of the text; or selections, as train=NAME,test=NAME. "
    "[default: one split]",
)
@click.option(
    "--rows-per-file", type=click.IntRange(min=1), help="At most. [default: 100,000; in a tar of webdataset 10,000]"
)
@click.option("--push", metavar="HUB-ID", help="With hf: upload the folder; a data set that is new is private.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Write a store as files of other programs.

    Its texts, gold and soft labels, to the last bit:

    \b
    parquet     for DuckDB, pandas, pyarrow: a column of FLOAT16 for the logit of each class, names of classes
    webdataset  tars of .txt, .json, .cls and .logits.npy, written by webdataset; engine train takes them, too
    hf          a data set for load_dataset, with its card

    PATH appears when all is there. If the command is stopped, run it again to go on; nothing is ever written over.

    \b
    Example:
      engine export reviews.store --to parquet --out exported
      engine export reviews.store --to hf --out reviews-hf --split train=0.9,test=0.1
    """
    return EXPORTERS[options["to"]](ctx, options)
