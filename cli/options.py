"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "jsonl", "csv", "markdown")


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """``"a, b"`` → ``("a", "b")``."""
        if isinstance(value, list | tuple):
            return tuple(map(str, value))
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(names):
            self.fail(f"{value!r} has an empty name in it", param, ctx)
        return names


def format_option(function: F) -> F:
    """``--format``: how data is printed on stdout."""
    return click.option(
        "--format",
        type=click.Choice(FORMATS),
        default=None,
        help="How data is printed. [default: table on a terminal, jsonl in a pipe]",
    )(function)


def column_options(function: F) -> F:
    """``--text --id --label --on-bad-row``: how input files are read."""
    for decorate in (
        click.option(
            "--on-bad-row",
            type=click.Choice(["reject", "fail"]),
            default="reject",
            show_default=True,
            help="Put a bad row aside with its reason (exit code 3), or stop at it.",
        ),
        click.option("--label", metavar="COLUMN", help="Column of gold labels. [default: found]"),
        click.option("--id", metavar="COLUMN", help="Column of ids. [default: found, else file:row]"),
        click.option("--text", metavar="COLUMN", help="Column of texts. [default: found]"),
    ):
        function = decorate(function)
    return function


def training_options(*, epochs: int, batch_size: int, learning_rate: float) -> Callable[[F], F]:
    """The options that say how to train, with a command's defaults."""

    def decorate(function: F) -> F:
        for option in (
            click.option("--tokens-per-batch", type=click.IntRange(min=1), help="Padded tokens of a micro-batch."),
            click.option(
                "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random."
            ),
            click.option("--max-length", type=click.IntRange(min=4, max=65_535), help="Tokens a row."),
            click.option("--learning-rate", type=float, default=learning_rate, show_default=True, help="Its peak."),
            click.option(
                "--batch-size", type=click.IntRange(min=1), default=batch_size, show_default=True, help="Rows a step."
            ),
            click.option(
                "--epochs", type=click.IntRange(min=1), default=epochs, show_default=True, help="Passes over the rows."
            ),
        ):
            function = option(function)
        return function

    return decorate
