"""``engine eval``."""

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from cli.options.reading import column_options, read_columns, read_options
from cli.options.shared import format_option
from cli.output import print_rows, print_summary, report_rejects, shows_tables
from cli.progress import progress

if TYPE_CHECKING:
    from engine.evaluation.evaluate import Evaluation


@click.command("eval")
@click.argument("model", metavar="MODEL")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option(
    "--against", metavar="MODEL", multiple=True, help="Compare with this model, pair by pair; may be repeated."
)
@column_options
@click.option(
    "--max-length",
    type=click.IntRange(min=4, max=65_535),
    help="Tokens a row. [default: its training's, or 512]",
)
@click.option("--tokens-per-batch", type=click.IntRange(min=1), help="Padded tokens a batch.")
@click.option(
    "--calibrate", is_flag=True, help="Fit a temperature on these rows and keep it in MODEL, for engine predict."
)
@click.option(
    "--defer-to", metavar="MODEL", help="Judge MODEL together with this one, which answers if MODEL is unsure."
)
@click.option(
    "--target",
    type=click.FloatRange(0, 1),
    help="With --defer-to: choose the threshold for this accuracy, and keep it in MODEL for engine predict.",
)
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Judge a classifier on labelled rows.

    Accuracy, F1, log-loss, expected calibration error, confusion, rows a second and size. Labels are the model's
    class names, or indices of them. --against adds agreement and McNemar's exact test.

    \b
    Example:
      engine eval student test.parquet --against teacher
      engine eval student test.parquet --defer-to teacher --target 0.95
    """
    from cli.main import OK, REJECTED
    from engine import EvalConfig, evaluate

    names = ("model", "inputs", "revision", "max_length", "tokens_per_batch", "against", "on_bad_row")
    chosen = {name: options[name] for name in (*names, "calibrate", "defer_to", "target")}
    config = EvalConfig(columns=read_columns(options), options=read_options(options), **chosen)
    with progress(ctx) as tick:
        evaluation = evaluate(config, tick=tick)
    _print(evaluation, options["format"])
    report_rejects(evaluation.rejected, evaluation.reasons)
    return REJECTED if evaluation.rejected else OK


def _print(evaluation: "Evaluation", format_: str | None) -> None:
    fitted = {"temperature": evaluation.temperature, "calibrated_ece": evaluation.calibrated_ece}
    if not shows_tables(format_):
        values = dataclasses.asdict(evaluation)
        unused = [
            "reasons",
            *(fitted if evaluation.temperature is None else ()),
            *([] if evaluation.cascade else ["cascade"]),
        ]
        print_rows([{name: value for name, value in values.items() if name not in unused}], format_)
        return
    shown = {"model": evaluation.model, **evaluation.headline(), **(fitted if evaluation.temperature else {})}
    print_summary(shown, format_)
    rows = [
        {"gold": gold, **{f"→ {name}": count for name, count in counts.items()}, "f1": evaluation.f1[gold]}
        for gold, counts in evaluation.confusion.items()
    ]
    print_rows(rows, format_)
    if evaluation.against:
        print_rows([{"against": name, **values} for name, values in evaluation.against.items()], format_)
    if evaluation.cascade:
        print_rows(evaluation.cascade["curve"], format_)
        if evaluation.cascade["chosen"]:
            print_summary(evaluation.cascade["chosen"], format_)
