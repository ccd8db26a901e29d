"""The options of masked language modelling before a fine-tuning, and the settings that they become."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.options.shared import is_given
from cli.options.training import MOST_ROWS

F = TypeVar("F", bound=Callable[..., Any])
_MORE = ("mlm_text", "mlm_epochs", "mlm_batch_size", "mlm_learning_rate")
OF_TEXTS = ("delimiter", "quote", "columns", "encoding", "whole_files", "on_bad_row")
"""Names of options that say how files of texts are read, too."""


def mlm_options(function: F) -> F:
    """The options; `mlm_settings` takes their values."""
    options = (
        click.option(
            "--mlm",
            metavar="INPUT",
            multiple=True,
            help="Texts without labels, or a store: before, MODEL learns to find hidden words out in them, into "
            "DIR/mlm. It needs the head of its pretraining.",
        ),
        click.option(
            "--mlm-text",
            metavar="COLUMN[,COLUMN...]",
            help="Of --mlm: column of texts. [default: that of the labelled rows, or found]",
        ),
        click.option("--mlm-epochs", type=click.IntRange(min=1), default=3, help="Passes over the texts of --mlm."),
        click.option(
            "--mlm-batch-size",
            type=click.IntRange(1, MOST_ROWS),
            default=64,
            help="Of --mlm: texts a step.",
        ),
        click.option("--mlm-learning-rate", type=float, default=1e-4, help="Of --mlm: its peak."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def mlm_settings(ctx: click.Context, options: dict[str, Any]) -> Any:
    """The `engine.MlmConfig` of the options of `mlm_options`, which are taken out of ``options``; None without texts.

    Raises:
        click.UsageError: others of them are given without --mlm.
    """
    from engine import MlmConfig

    inputs, more = options.pop("mlm"), {name: options.pop(name) for name in _MORE}
    if inputs:
        return MlmConfig(inputs=inputs, **{name.removeprefix("mlm_"): value for name, value in more.items()})
    if given := [name for name in _MORE if is_given(ctx, name)]:
        raise click.UsageError(f"--{given[0].replace('_', '-')} needs --mlm INPUT")
    return None
