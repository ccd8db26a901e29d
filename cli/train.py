"""``engine train``."""

from typing import Any

import click

from cli.finetune import print_trained
from cli.options import Names, format_option, run_settings, training_options
from cli.output import progress


@click.command("train", context_settings={"show_default": True})
@click.argument("store", metavar="STORE")
@click.option(
    "--student",
    metavar="MODEL",
    required=True,
    help="What to begin with; MODEL#layers=1,3,5 keeps some layers, a config.json begins from scratch.",
)
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option(
    "--out", metavar="DIR", required=True, help="Folder for the student; new, or that of a run to go on with."
)
@click.option(
    "--labels",
    metavar="NAME[,NAME...]",
    type=Names(),
    help="Label sets to learn from; several are averaged. [default: the only one]",
)
@click.option("--select", metavar="NAME", help="Learn from the rows of this selection alone.")
@click.option(
    "--weight",
    metavar="SQL",
    help="How much each row counts: an expression over the view reviews, with the first of --labels.",
)
@click.option("--loss", type=click.Choice(["kl", "mse"]), default="kl", help="KL divergence, or centred logits.")
@click.option("--temperature", type=float, default=1.0, help="Of kl.")
@click.option(
    "--gold-weight", type=click.FloatRange(0, 1), default=0.0, help="Share of the gold label in a row's loss."
)
@click.option(
    "--round",
    "rounds",
    metavar="N",
    type=click.IntRange(min=0),
    multiple=True,
    help="With --gold-weight: the gold of this round alone; may be repeated, 0 is the corpus's own. "
    "[default: all that there are when the run begins; the latest holds]",
)
@click.option(
    "--calibrated",
    is_flag=True,
    help="Divide logits by the temperature of their label set: the latest of `engine audit --calibrate`.",
)
@training_options(epochs=2, batch_size=64, learning_rate=2e-4)
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Distil a student from a store's soft labels.

    Stored tokens are used where the student's encoding is that of the teacher; --max-length is the label set's unless
    it is given. The order of the rows, the steps and, with
    dropout off, the losses do not depend on the number of processes. A run that
    was stopped goes on from its last checkpoint when the same command is run again.

    \b
    Example:
      engine train reviews.store --student bert-base-uncased#layers=2,5,8,11 --out student --eval test.parquet
      engine train reviews.store --student bert-base-uncased#layers=2,5,8,11 --select sure --out sure
      torchrun --nproc-per-node 8 -m cli train reviews.store --student bert-base-uncased --out student
    """
    from engine import DistillConfig, SoftLoss, train

    config = DistillConfig(
        store=options["store"],
        student=options["student"],
        revision=options["revision"],
        labels=options["labels"] or (),
        select=options["select"],
        weight=options["weight"],
        loss=SoftLoss(kind=options["loss"], temperature=options["temperature"], gold_weight=options["gold_weight"]),
        rounds=options["rounds"] or None,
        calibrated=options["calibrated"],
        max_length=options["max_length"],
        **run_settings(options),
    )
    with progress(ctx) as tick:
        trained = train(config, tick=tick)
    return print_trained(trained, options["format"])
