"""``engine export``."""

from typing import Any

import click

from cli.commands.export.model import export_model
from cli.options.reading import column_options
from cli.options.shared import format_option


@click.command("export")
@click.argument("model", metavar="MODEL")
@click.option("--to", type=click.Choice(["onnx"]), required=True, help="What is made.")
@click.option("--out", metavar="DIR", required=True, help="The folder that is made; new or empty.")
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option(
    "--check",
    metavar="INPUT",
    multiple=True,
    help="Compare the files with MODEL on these rows, labelled or not; may be repeated. Without, none is written in "
    "int8.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=2000, show_default=True, help="Compare on so many rows at most."
)
@click.option(
    "--max-length",
    type=click.IntRange(min=4, max=65_535),
    help="Tokens a row. [default: its training's, or 512]",
)
@click.option("--no-weights", is_flag=True, help="Put no model.safetensors beside the ONNX files.")
@column_options
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Export a classifier for other servers.

    onnx/model.onnx, in fp32, gives the logits of MODEL, or nothing is written. onnx/model_quantized.onnx, in int8, is
    written only if at most 0.5 % of the rows of --check change their class by it. DIR appears whole or not at all.

    \b
    Example:
      engine export student --to onnx --out student-onnx --check test.parquet
    """
    return export_model(ctx, options)
