"""``engine label --from``: make a label set from anybody's answers."""

import dataclasses
import logging
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.notes import say
from cli.options.reading import read_options
from cli.options.shared import is_given
from cli.output import print_summary, report_rejects, shows_tables
from cli.progress import progress

F = TypeVar("F", bound=Callable[..., Any])
_OF_ANSWERS = ("hard", "confidence", "annotator", "scores")
_OF_A_TEACHER = (
    "inputs", "append", "teacher", "revision", "shards", "text", "no_label", "classes", "max_length", "dtype",
    "devices", "worker", "on", "workers", "tokens_per_batch", "check_rows", "keep_tokens", "mark_near_duplicates",
    "whole_files",
    "pilot", "dry_run", "max_hours",
)  # fmt: skip


def from_options(function: F) -> F:
    """``--from`` and what goes with it alone."""
    for decorate in (
        click.option(
            "--scores",
            type=click.Choice(["probabilities", "logits"]),
            help="With --from: what the columns of the classes hold. [default: found]",
        ),
        click.option(
            "--annotator",
            metavar="COLUMN",
            help="With --from: who answered; the answers of several to one text are averaged.",
        ),
        click.option(
            "--confidence",
            metavar="COLUMN",
            help="With --from: the probability of the label, from 0 to 1. [default: that of --hard]",
        ),
        click.option(
            "--hard",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            help="With --from: the probability of a bare label; the other classes share the rest. [default: 0.9]",
        ),
        click.option(
            "--from",
            metavar="INPUT",
            multiple=True,
            help="Files of answers by id, in place of a teacher; needs --name. May be repeated.",
        ),
    ):
        function = decorate(function)
    return function


def refuse_flags(ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse a command line that names both a teacher and answers, or none, or flags of the other one.

    Raises:
        click.UsageError: it does.
    """
    if options["from"]:
        if options["teacher"] is not None:
            raise click.UsageError("--teacher labels texts with a model, and --from takes answers: give one of the two")
        if options["name"] is None:
            raise click.UsageError("--from makes a label set: name it with --name")
        if wrong := [name for name in _OF_A_TEACHER if is_given(ctx, name)]:
            what = "INPUT makes a store" if wrong[0] == "inputs" else f"{_flag(wrong[0])} is for a run with --teacher"
            raise click.UsageError(f"{what}, and --from takes answers for a store that exists; leave it out")
        return
    if wrong := [name for name in _OF_ANSWERS if is_given(ctx, name)]:
        raise click.UsageError(f"{_flag(wrong[0])} says how answers are read, and needs --from INPUT")
    if options["teacher"] is None:
        raise click.UsageError("Missing option '--teacher' (or '--from', for answers that are there already).")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def label_from(ctx: click.Context, options: dict[str, Any]) -> int:
    """Make the label set, print its summary, and return the exit code."""
    import engine
    from cli.main import OK, REJECTED

    config = engine.AnswersConfig(
        store=options["store"],
        name=options["name"],
        inputs=options["from"],
        columns=engine.AnswerColumns(
            id=options["id"],
            label=options["label"],
            confidence=options["confidence"],
            annotator=options["annotator"],
            scores=options["scores"],
        ),
        options=read_options(options),
        hard=options["hard"],
        on_bad_row=options["on_bad_row"],
    )
    with progress(ctx) as tick:
        made = engine.label_from(config, tick=tick)
    summary = dataclasses.asdict(made)
    reasons = summary.pop("reasons")
    are_printed = not shows_tables(options["format"])
    print_summary({**summary, "reasons": reasons} if are_printed else summary, options["format"])
    _say(made, options["store"])
    report_rejects(made.rejected, reasons, are_printed=are_printed)
    return REJECTED if made.rejected else OK


def _say(made: Any, store: str) -> None:
    """What a user has to know of a label set that is there now."""
    if not made.shards_done and not made.shards_mended:
        say(f"nothing was changed: the label set {made.name!r} was made from the same answers already")
    if made.shards_mended:
        shards = f"{made.shards_mended:,} damaged shard{'' if made.shards_mended == 1 else 's'}"
        say(f"made again {shards} of the label set {made.name!r}")
    if made.answered < made.rows:
        failed = (
            f"SELECT failure, count(*) FROM labels WHERE label_set = '{made.name}' AND failure IS NOT NULL GROUP BY 1"
        )
        say(
            f"{made.rows - made.answered:,} of {made.rows:,} rows have no answer and are left out of trainings; see "
            f'why: engine sql {shlex.quote(store)} "{failed}"',
            level=logging.WARNING,
        )
