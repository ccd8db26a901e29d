"""The options of every training, and the settings that they become."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_EVERY_SECONDS = 600.0
MOST_ROWS, MOST_SEED = 2**31 - 1, 2**63 - 1


class Interval(click.ParamType[tuple[int | None, float]]):
    """A number of steps, or a time such as ``90s``, ``10m`` or ``2h``."""

    name = "STEPS|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, float]:
        """``"500"`` → ``(500, …)``, ``"10m"`` → ``(None, 600.0)``."""
        if isinstance(value, tuple):
            return value
        match = _INTERVAL.fullmatch(str(value).strip())
        number = float(match[1]) if match else 0.0
        if match is None or number <= 0 or (not match[2] and not number.is_integer()):
            self.fail(
                f"{value!r} is neither a number of steps, such as 500, nor a time, such as 90s, 10m or 2h", param, ctx
            )
        return (int(number), _EVERY_SECONDS) if not match[2] else (None, number * _SECONDS[match[2]])


def training_options(*, epochs: int, batch_size: int, learning_rate: float) -> Callable[[F], F]:
    """The options of every training, with a command's defaults; `training_settings` takes their values."""
    options = (
        *_loop_options(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate),
        *_evaluation_options(),
        *_saving_options(),
    )

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _loop_options(*, epochs: int, batch_size: int, learning_rate: float) -> tuple[Callable[[F], F], ...]:
    return (
        click.option("--epochs", type=click.IntRange(min=1), default=epochs, help="Passes over the rows."),
        click.option(
            "--batch-size", type=click.IntRange(1, MOST_ROWS), default=batch_size, help="Rows a step, of all ranks."
        ),
        click.option("--learning-rate", type=float, default=learning_rate, help="Its peak."),
        click.option("--max-length", type=click.IntRange(min=4, max=65_535), help="Tokens a row."),
        click.option("--seed", type=click.IntRange(0, MOST_SEED), default=0, help="Of everything random."),
        click.option("--tokens-per-batch", type=click.IntRange(min=1), help="Tokens of a micro-batch."),
        click.option(
            "--dtype",
            type=click.Choice(["auto", "fp32", "bf16"]),
            default="auto",
            help="Of products; auto is bf16 on CUDA, and on a CPU what is faster, measured if that pays.",
        ),
    )


def _evaluation_options() -> tuple[Callable[[F], F], ...]:
    return (
        click.option("--eval", metavar="INPUT", multiple=True, help="Labelled rows to judge the result on."),
        click.option(
            "--validation",
            metavar="INPUT",
            multiple=True,
            help="Labelled rows to judge the model on while it is trained; the best state of all is the result.",
        ),
        click.option(
            "--validate-every", type=click.IntRange(min=1), metavar="STEPS", help="[default: after each epoch]"
        ),
        click.option(
            "--best-by",
            type=click.Choice(["accuracy", "macro_f1", "log_loss"]),
            help="The figure that says which state is best. [default: accuracy]",
        ),
        click.option(
            "--patience", type=click.IntRange(min=1), help="Stop when so many validations in a row are not better."
        ),
    )


def _saving_options() -> tuple[Callable[[F], F], ...]:
    return (
        click.option(
            "--checkpoint-every",
            type=Interval(),
            default=f"{_EVERY_SECONDS // 60:.0f}m",
            help="Steps, or time, from one checkpoint to the next; one is written at the end and when validated, too.",
        ),
        click.option("--keep", type=click.IntRange(min=1), default=2, help="Checkpoints that stay, beside the best."),
        click.option(
            "--report-to",
            type=click.Choice(["none", "tensorboard"]),
            default="none",
            help="Where metrics go beside DIR/metrics.jsonl.",
        ),
        click.option(
            "--lost-after",
            type=click.FloatRange(min=1),
            default=45.0,
            metavar="SECONDS",
            help="Of several processes: when one that does not answer is lost. A checkpoint must be written within it.",
        ),
    )


def _unless_auto(value: str) -> str | None:
    return None if value == "auto" else value


def training_settings(*, out: str, max_length: int | None, **options: Any) -> dict[str, Any]:
    """The values of `training_options`, and ``out``, as the fields that both training configurations share.

    Raises:
        click.UsageError: options of a validation are given without --validation.
    """
    from engine import LoopConfig, SavingConfig, ValidationConfig

    every_steps, every_seconds = options["checkpoint_every"]
    names = ("epochs", "batch_size", "learning_rate", "seed", "tokens_per_batch")
    if not options["validation"] and (options["patience"] or options["validate_every"] or options["best_by"]):
        raise click.UsageError("--patience, --validate-every and --best-by need --validation INPUT")
    return {
        "out": out,
        "max_length": max_length,
        "loop": LoopConfig(**{name: options[name] for name in names}, dtype=_unless_auto(options["dtype"])),
        "saving": SavingConfig(
            every_steps=every_steps,
            every_seconds=every_seconds,
            keep=options["keep"],
            report_to=options["report_to"],
        ),
        "validation": ValidationConfig(
            inputs=options["validation"],
            every=options["validate_every"],
            by=options["best_by"] or "accuracy",
            patience=options["patience"],
        ),
        "evaluation": options["eval"],
        "lost_seconds": options["lost_after"],
    }
