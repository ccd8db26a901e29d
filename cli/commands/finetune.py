"""``engine finetune``."""

from typing import Any

import click

from cli.options.mlm import OF_TEXTS, mlm_options, mlm_settings
from cli.options.reading import column_options, read_columns, read_options, refuse_unread
from cli.options.rounds import gold_rounds_option
from cli.options.shared import CommaSeparated, format_option, named_place
from cli.options.training import training_options, training_settings
from cli.output import print_summary, report_rejects
from cli.progress import progress


@click.command("finetune", context_settings={"show_default": True})
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option(
    "--model",
    metavar="MODEL",
    required=True,
    help="Initial weights; MODEL#layers=1,3,5 keeps some layers, a config.json begins from scratch.",
)
@click.option("--from-store", metavar="STORE", help="Learn from the gold of this store, and not from INPUT.")
@gold_rounds_option
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option(
    "--out",
    callback=named_place,
    metavar="DIR",
    required=True,
    help="Folder for the classifier; new, or that of a run to resume.",
)
@column_options
@click.option("--classes", type=CommaSeparated(), help="Class names in order. [default: the labels, sorted]")
@click.option("--limit", type=click.IntRange(min=1), help="Use this many rows, chosen at random by --seed.")
@mlm_options
@training_options(epochs=5, batch_size=16, learning_rate=2e-5)
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    model: str,
    from_store: str | None,
    rounds: tuple[int, ...],
    revision: str | None,
    on_bad_row: str,
    classes: tuple[str, ...] | None,
    limit: int | None,
    format: str | None,  # noqa: A002
    **options: Any,
) -> int:
    """Fine-tune a classifier on labelled rows.

    AdamW, warm-up over a tenth of the steps, then linear decay: the recipe for few labels of Mosbach et al. (2020).

    \b
    Example:
      engine finetune gold.parquet --model bert-base-uncased --out teacher --eval test.parquet
      engine finetune gold.parquet --model bert-base-uncased --mlm reviews.store --out teacher
      engine finetune --from-store reviews.store --round 0..1 --model bert-base-uncased --out teacher2
    """
    from engine import FinetuneConfig, GoldConfig, StoredGold, finetune

    _check_source(inputs, from_store, rounds, classes)
    mlm = mlm_settings(ctx, options)
    if from_store is not None and not (options["eval"] or options["validation"]):
        refuse_unread(ctx, files="--eval or --validation", but=() if mlm is None else OF_TEXTS)
    gold = GoldConfig(
        files=inputs,
        columns=read_columns(options),
        options=read_options(options),
        classes=classes,
        expects_all=classes is not None,
        on_bad_row=on_bad_row,
        limit=limit,
        seed=options["seed"],
    )
    stored = None
    if from_store is not None:
        stored = StoredGold(store=from_store, rounds=rounds or None, limit=limit, seed=options["seed"])
    config = FinetuneConfig(
        gold=gold, stored=stored, model=model, revision=revision, mlm=mlm, **training_settings(**options)
    )
    with progress(ctx) as tick:
        trained = finetune(config, tick=tick)
    return print_trained(trained, format)


def _check_source(
    inputs: tuple[str, ...], from_store: str | None, rounds: tuple[int, ...], classes: tuple[str, ...] | None
) -> None:
    """Refuse what does not say where the labels are, or says it twice.

    Raises:
        click.UsageError: it does not.
    """
    if (from_store is None) == (not inputs):
        raise click.UsageError("give INPUT, files of labelled rows, or --from-store STORE, whose gold is learned from")
    if from_store is None and rounds:
        raise click.UsageError("--round is of the gold in a store; name it with --from-store")
    if from_store is not None and classes is not None:
        raise click.UsageError("--from-store has the classes of the store; give no --classes")


def print_trained(trained: Any, format_: str | None) -> int:
    """Print the summary of a training, by the first rank only; returns the exit code."""
    from cli.main import OK, REJECTED

    if trained.rank:
        return OK
    summary = {
        "out": trained.out,
        "classes": trained.classes,
        "rows": trained.rows,
        "rejected": trained.rejected,
        "truncated": trained.truncated,
        "dtype": trained.dtype,
        "loss": round(trained.epochs[-1].loss, 5) if trained.epochs else None,
        "steps": trained.steps,
        "seconds": round(trained.seconds, 1),
        "rows_per_second": round(trained.rows_per_second, 1),
        "waiting": round(trained.waiting, 4),
    }
    if trained.mlm is not None:
        summary |= {
            "mlm_texts": trained.mlm.rows,
            "mlm_steps": trained.mlm.steps,
            "mlm_loss": round(trained.mlm.loss, 5),
            "mlm_seconds": round(trained.mlm.seconds, 1),
        }
    if trained.best is not None:
        summary["best_step"] = trained.best.step
        summary |= {f"best_{name}": round(value, 5) for name, value in trained.best.figures.items()}
    if trained.evaluation is not None:
        summary |= {f"eval_{name}": value for name, value in trained.evaluation.headline().items()}
    print_summary(summary, format_)
    report_rejects(trained.rejected, trained.reasons)
    rejected = trained.rejected
    if trained.evaluation is not None:
        rejected += trained.evaluation.rejected
        report_rejects(trained.evaluation.rejected, trained.evaluation.reasons)
    # torchrun would take another exit code for a process that failed.
    return REJECTED if rejected and trained.ranks == 1 else OK
