"""``engine predict``."""

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from cli.options.computing import computing_options, read_choices
from cli.options.reading import read_columns, read_options, text_options
from cli.output import note, print_summary, reader_may_go, report_rejects
from cli.progress import progress

if TYPE_CHECKING:
    from engine import PredictSummary


@click.command("predict")
@click.argument("model", metavar="MODEL")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--out", metavar="FILE", help="The file, a path or a URL; - is stdout. [default: lines on stdout]")
@click.option(
    "--format",
    type=click.Choice(["parquet", "csv", "jsonl"]),
    help="Of the output. [default: by the name of FILE; jsonl on stdout]",
)
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option("--probabilities", is_flag=True, help="A column with the probability of each class, too.")
@click.option("--calibrated", is_flag=True, help="Use the temperature that `engine eval --calibrate` fitted.")
@click.option("--defer-to", metavar="MODEL", help="Let this model answer where the first is not sure.")
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, max=1, min_open=True),
    help="The confidence below which --defer-to answers. [default: as engine eval --target chose it]",
)
@click.option(
    "--input-format",
    type=click.Choice(["jsonl", "csv", "tsv", "txt", "parquet", "arrow"]),
    help="Of stdin, as INPUT -. [default: found]",
)
@text_options
@computing_options
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Give every text its class, by a classifier.

    One row for each of the input, in its order: id, class, confidence; a refused row has the reason instead. INPUT is
    what `engine label` reads, or - for stdin. Run again, it goes on where it was stopped; the file appears whole.

    \b
    Example:
      engine predict student new.csv --out answers.parquet
      cat texts.txt | engine predict student - > answers.jsonl
    """
    from cli.main import OK, REJECTED
    from engine import Cascade, PredictConfig, predict
    from engine.inputs.remote.sources import shown

    if options["threshold"] is not None and options["defer_to"] is None:
        raise click.UsageError("--threshold says which rows go to a second model; name it with --defer-to")
    cascade = None
    if options["defer_to"] is not None:
        cascade = Cascade(model=options["defer_to"], threshold=options["threshold"])
    config = PredictConfig(
        model=options["model"],
        inputs=options["inputs"],
        out=None if options["out"] == "-" else options["out"],
        format=options["format"],
        input_format=options["input_format"],
        revision=options["revision"],
        columns=read_columns({**options, "label": None, "no_label": True}),
        options=read_options({**options, "label_map": None}),
        choices=read_choices(options),
        devices=options["devices"],
        probabilities=options["probabilities"],
        calibrated=options["calibrated"],
        cascade=cascade,
        on_bad_row=options["on_bad_row"],
    )
    summary = None
    with progress(ctx) as tick, reader_may_go():
        summary = predict(config, stream=sys.stdout, tick=tick)
    if summary is None:  # who read the answers wanted no more of them
        return OK
    _print(summary, None if config.out is None else shown(config.out))
    report_rejects(summary.rejected, summary.reasons)
    return REJECTED if summary.rejected or summary.failed else OK


def _print(summary: "PredictSummary", out: str | None) -> None:
    """The summary on stdout, or in a line on stderr if stdout has the answers."""
    values = dataclasses.asdict(summary)
    values.pop("reasons")
    if out is not None:
        print_summary({"out": out, **values}, None)
    else:
        note(f"{summary.rows:,} rows, {summary.computed:,} computed at {summary.rows_per_second:g} rows/s")
