"""The options of ``engine compare``, and the configuration that they become."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.options.shared import CommaSeparated

F = TypeVar("F", bound=Callable[..., Any])
_ROLES = {
    "teacher": ("the teacher's training", 5, 32, 5e-5),
    "direct": ("the student's training on gold labels", 5, 32, 1e-4),
    "distilled": ("the student's training on the teacher's labels", 2, 64, 2e-4),
}
"""Whose training, and the defaults: epochs, rows a step, peak of the learning rate."""


class Sizes(CommaSeparated):
    """Numbers of rows with commas between them."""

    name = "N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """``"500,1000"`` → ``(500, 1000)``."""
        sizes = super().convert(value, param, ctx)
        for size in sizes:
            if not str(size).isdecimal() or not int(size):
                self.fail(f"{size!r} is no number of rows; give some as 500,1000,2000", param, ctx)
        return tuple(map(int, sizes))


def _decorated(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def rows_options(function: F) -> F:
    """Which rows there are."""
    return _decorated(
        function,
        (
            click.option(
                "--labelled", metavar="INPUT", multiple=True, required=True, help="Labelled rows; may be repeated."
            ),
            click.option(
                "--extra",
                metavar="INPUT",
                multiple=True,
                help="Further labelled rows, for the arm direct+extra. [default: half of --labelled]",
            ),
            click.option(
                "--unlabelled", metavar="INPUT", multiple=True, required=True, help="Texts for the teacher to label."
            ),
            click.option(
                "--test",
                metavar="INPUT",
                multiple=True,
                help="Labelled rows to judge on. [default: a third of --labelled]",
            ),
            click.option(
                "--near-duplicates",
                type=click.FloatRange(0, 1),
                metavar="SIMILARITY",
                help="Rows that are so similar to a test row are left out; 0 for equal ones alone. [default: 0.8]",
            ),
            click.option(
                "--classes", type=CommaSeparated(), help="Class names in order. [default: the labels, sorted]"
            ),
        ),
    )


def size_options(function: F) -> F:
    """How often, and with how many rows."""
    return _decorated(
        function,
        (
            click.option(
                "--seeds", type=click.IntRange(min=1), default=3, help="Draws of everything random; more add to a DIR."
            ),
            click.option(
                "--arms",
                type=CommaSeparated(),
                help="Train these alone, with what they need; the table has all that are there, so that some may have "
                "more seeds than others. [default: all]",
            ),
            click.option(
                "--label-count",
                type=click.IntRange(min=1),
                metavar="N",
                help="Labels of all arms but direct+extra. [default: all of --labelled, or half without --extra]",
            ),
            click.option("--label-sizes", type=Sizes(), help="Train the direct arm on these numbers of labels, too."),
            click.option("--pool-sizes", type=Sizes(), help="Train the distilled arm on these numbers of texts, too."),
            click.option(
                "--keep-split",
                is_flag=True,
                help="All seeds have the same labelled rows; else each draws its own from --labelled and --extra.",
            ),
            click.option(
                "--max-hours", type=click.FloatRange(min=0, min_open=True), help="Begin no step after so long."
            ),
        ),
    )


def recipe_options(function: F) -> F:
    """How the models are trained; `read_recipes` takes their values."""
    options: list[Callable[[F], F]] = [
        click.option(
            "--max-length", type=click.IntRange(min=4, max=65_535), help="Tokens a row. [default: 256, or fewer]"
        )
    ]
    for role, (what, epochs, batch_size, learning_rate) in _ROLES.items():
        options += [
            click.option(f"--{role}-epochs", type=click.IntRange(min=1), default=epochs, help=f"Of {what}."),
            click.option(f"--{role}-batch-size", type=click.IntRange(min=1), default=batch_size, help="Rows a step."),
            click.option(f"--{role}-learning-rate", type=float, default=learning_rate, help="Its peak."),
        ]
    options += [
        click.option(
            "--loss", type=click.Choice(["kl", "mse"]), default="kl", help="KL divergence, or centred logits."
        ),
        click.option("--temperature", type=float, default=1.0, help="Of kl."),
        click.option(
            "--gold-weight",
            type=click.FloatRange(0, 1),
            default=0.0,
            help="Share of the gold label in a row's loss; more than 0 adds the labelled rows to the student's texts.",
        ),
        click.option(
            "--dtype",
            type=click.Choice(["auto", "fp32", "bf16"]),
            default="auto",
            help="Of products; auto is bf16 where the processor has it.",
        ),
    ]
    return _decorated(function, tuple(options))


def price_options(function: F) -> F:
    """What labels and devices cost; `read_prices` takes their values."""
    return _decorated(
        function,
        (
            click.option("--price-device-hour", type=click.FloatRange(min=0), help="Of one device, in any currency."),
            click.option(
                "--price-label", type=click.FloatRange(min=0), help="Of one gold label, in the same currency."
            ),
        ),
    )


def read_recipes(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of `engine.CompareConfig` that the options of `recipe_options` become."""
    from engine import LoopConfig, SoftLoss

    loops = {
        f"recipe_{role}": LoopConfig(
            **{name: options[f"{role}_{name}"] for name in ("epochs", "batch_size", "learning_rate")}
        )
        for role in _ROLES
    }
    loss = SoftLoss(kind=options["loss"], temperature=options["temperature"], gold_weight=options["gold_weight"])
    dtype = None if options["dtype"] == "auto" else options["dtype"]
    return {**loops, "loss": loss, "dtype": dtype, "max_length": options["max_length"]}


def read_prices(options: dict[str, Any]) -> Any:
    """The `engine.Prices` of the options of `price_options`."""
    from engine import Prices

    return Prices(device_hour=options["price_device_hour"], label=options["price_label"])
