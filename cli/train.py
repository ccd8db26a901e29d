"""``engine train``."""

from typing import Any

import click

from cli.finetune import print_trained
from cli.options import format_option, training_options
from cli.output import progress


@click.command("train")
@click.argument("store", metavar="STORE")
@click.option(
    "--student", metavar="MODEL", required=True, help="What to begin with; MODEL#layers=1,3,5 keeps some layers."
)
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option("--out", metavar="DIR", required=True, help="Folder for the student; new or empty.")
@click.option("--labels", metavar="NAME", help="Label set to learn from. [default: the only one]")
@click.option("--eval", metavar="INPUT", multiple=True, help="Labelled rows to judge the result on.")
@training_options(epochs=2, batch_size=64, learning_rate=2e-4)
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Distil a student from a store's soft labels.

    The student's loss is the KL divergence from the teacher's probabilities. Stored tokens are used where the
    student's encoding is that of the teacher; --max-length is the label set's unless it is given.

    \b
    Example:
      engine train reviews.store --student bert-base-uncased#layers=2,5,8,11 --out student --eval test.parquet
    """
    from engine import DistillConfig, LoopConfig, train

    config = DistillConfig(
        store=options["store"],
        student=options["student"],
        out=options["out"],
        revision=options["revision"],
        labels=options["labels"],
        max_length=options["max_length"],
        loop=LoopConfig(
            epochs=options["epochs"],
            batch_size=options["batch_size"],
            learning_rate=options["learning_rate"],
            seed=options["seed"],
            tokens_per_batch=options["tokens_per_batch"],
        ),
        evaluation=options["eval"],
    )
    with progress(ctx) as tick:
        trained = train(config, tick=tick)
    return print_trained(trained, options["format"])
