"""``engine export``: the options of all formats, and which function serves each."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.commands.export.model import export_model
from cli.commands.export.store import Splits, export_store
from cli.options.reading import column_options
from cli.options.shared import CommaSeparated, format_option, is_given, named_place

F = TypeVar("F", bound=Callable[..., Any])
EXPORTERS = {"parquet": export_store, "webdataset": export_store, "hf": export_store, "onnx": export_model}
"""By the value of ``--to``: what exports SOURCE, given the context and the options; it returns the exit code."""
_OF_ALL = ("source", "to", "out", "format")
_OF_A_STORE = ("labels", "select", "split", "rows_per_file", "push")


def _store_options(function: F) -> F:
    for option in (
        click.option("--push", metavar="HUB-ID", help="With hf: upload the folder; a data set that is new is private."),
        click.option(
            "--rows-per-file",
            type=click.IntRange(min=1),
            help="At most. [default: 100,000; in a tar of webdataset 10,000]",
        ),
        click.option(
            "--split",
            type=Splits(),
            help="Shares of the rows, as train=0.9,test=0.1, by a hash of the text; or selections, as "
            "train=NAME,test=NAME. [default: one split]",
        ),
        click.option("--select", metavar="NAME", help="Export the rows of this selection alone."),
        click.option(
            "--labels",
            metavar="NAME[,NAME...]",
            type=CommaSeparated(),
            help="Label sets to export; of several, each column has the name behind it. [default: the only one]",
        ),
    ):
        function = option(function)
    return function


def _model_options(function: F) -> F:
    function = column_options(function)
    for option in (
        click.option("--no-weights", is_flag=True, help="With onnx: put no model.safetensors beside the ONNX files."),
        click.option(
            "--max-length",
            type=click.IntRange(min=4, max=65_535),
            help="With onnx: tokens a row. [default: its training's, or 512]",
        ),
        click.option(
            "--limit", type=click.IntRange(min=1), default=2000, show_default=True, help="Of --check: rows at most."
        ),
        click.option(
            "--check",
            metavar="INPUT",
            multiple=True,
            help="With onnx: compare the files with MODEL on these rows, labelled or not; may be repeated. Without, "
            "none is written in int8.",
        ),
        click.option("--revision", help="With onnx: branch, tag or commit of a hub id."),
    ):
        function = option(function)
    return function


@click.command("export")
@click.argument("source", metavar="STORE|MODEL")
@click.option("--to", type=click.Choice(list(EXPORTERS)), required=True, help="The format.")
@click.option(
    "--out",
    callback=named_place,
    metavar="DIR",
    required=True,
    help="The folder that is made, by its path or a URL: new or empty.",
)
@_store_options
@_model_options
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Write a store or a classifier as files of other programs.

    \b
    parquet     of a store, for DuckDB, pandas, pyarrow: the logit of each class as FLOAT16, names of classes
    webdataset  of a store: tars of .txt, .json, .cls and .logits.npy; engine train takes them, too
    hf          of a store: a data set for load_dataset, with its card
    onnx        of a classifier: a folder for ONNX Runtime, transformers.js and other servers

    onnx/model.onnx, in fp32, gives the logits of MODEL, or nothing is written. onnx/model_quantized.onnx, in int8, is
    written only if at most 0.5 % of the rows of --check change their class by it.

    DIR appears when all is there. If the export of a store is stopped, run it again to go on; nothing is ever written
    over.

    \b
    Example:
      engine export reviews.store --to parquet --out exported
      engine export reviews.store --to hf --out reviews-hf --split train=0.9,test=0.1
      engine export student --to onnx --out student-onnx --check test.parquet
    """
    is_model = EXPORTERS[options["to"]] is export_model
    for name in options:
        if name not in _OF_ALL and (name in _OF_A_STORE) == is_model and is_given(ctx, name):
            what = "is of a store" if is_model else "goes with --to onnx alone"
            raise click.UsageError(f"--{name.replace('_', '-')} {what}, and --to is {options['to']}; leave it out")
    return EXPORTERS[options["to"]](ctx, options)
