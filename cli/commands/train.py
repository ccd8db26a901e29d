"""``engine train``."""

from typing import Any

import click

from cli.commands.finetune import print_trained
from cli.options.reading import READING, evaluation_options, read_columns, read_options, refuse_unread
from cli.options.rounds import rounds_option
from cli.options.shared import CommaSeparated, format_option, named_place
from cli.options.training import training_options, training_settings
from cli.progress import progress


@click.command("train", context_settings={"show_default": True})
@click.argument("store", metavar="STORE")
@click.option(
    "--student",
    metavar="MODEL",
    required=True,
    help="Initial weights; MODEL#layers=1,3,5 keeps some layers, a config.json begins from scratch.",
)
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option(
    "--out",
    callback=named_place,
    metavar="DIR",
    required=True,
    help="Folder for the student; new, or that of a run to resume.",
)
@click.option(
    "--labels",
    metavar="NAME[,NAME...]",
    type=CommaSeparated(),
    help="Label sets to learn from; several are averaged. [default: the only one]",
)
@click.option("--select", metavar="NAME", help="Learn from the rows of this selection alone.")
@click.option(
    "--weight",
    metavar="SQL",
    help="The weight of each row: an expression over the view reviews, with the first of --labels.",
)
@click.option("--loss", type=click.Choice(["kl", "mse"]), default="kl", help="KL divergence, or centred logits.")
@click.option("--temperature", type=float, default=1.0, help="Of kl.")
@click.option(
    "--gold-weight", type=click.FloatRange(0, 1), default=0.0, help="Share of the gold label in a row's loss."
)
@rounds_option(
    "With --gold-weight: the gold of this round alone. [default: all that exist when the run begins; the latest holds]"
)
@click.option(
    "--calibrated",
    is_flag=True,
    help="Divide logits by the temperature of their label set: the latest of `engine audit --calibrate`.",
)
@evaluation_options
@training_options(epochs=2, batch_size=64, learning_rate=2e-4)
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    store: str,
    student: str,
    revision: str | None,
    labels: tuple[str, ...] | None,
    select: str | None,
    weight: str | None,
    loss: str,
    temperature: float,
    gold_weight: float,
    rounds: tuple[int, ...],
    calibrated: bool,
    format: str | None,  # noqa: A002
    **options: Any,
) -> int:
    """Distil a student from a store's soft labels.

    Stored tokens are used if the encodings are equal; --max-length is the label set's by default. Rows, steps and, with
    dropout off, losses do not depend on the number of processes. If a run is interrupted, the same command resumes it.
    STORE may also be a folder of tars that `engine export --to webdataset` wrote, or 'TARS/train-*.tar' some of them,
    or the URL of either.

    \b
    Example:
      engine train reviews.store --student teacher#layers=2,5,8,11 --out student --eval test.parquet
      engine train reviews.store --student teacher#layers=2,5,8,11 --select sure --out sure
      torchrun --nproc-per-node 8 -m cli train reviews.store --student bert-base-uncased --out student
    """
    from engine import DistillConfig, SoftLoss, train

    if not (options["eval"] or options["validation"]):
        refuse_unread(ctx, files="--eval or --validation")
    reading = {name: options.pop(name) for name in (*READING, "text", "id", "label")}

    config = DistillConfig(
        store=store,
        student=student,
        revision=revision,
        labels=labels or (),
        select=select,
        weight=weight,
        loss=SoftLoss(kind=loss, temperature=temperature, gold_weight=gold_weight),
        rounds=rounds or None,
        calibrated=calibrated,
        columns=read_columns({**reading, "no_label": False}),
        options=read_options(reading),
        **training_settings(**options),
    )
    with progress(ctx) as tick:
        trained = train(config, tick=tick)
    return print_trained(trained, format)
