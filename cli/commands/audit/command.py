"""``engine audit``: its options, and which of its five actions they ask for."""

from collections.abc import Callable
from typing import Any

import click

from cli.commands.audit.calibrate import calibrate
from cli.commands.audit.gold import add_gold
from cli.commands.audit.near_duplicates import NAME as NEAR_DUPLICATES
from cli.commands.audit.near_duplicates import ask_near_duplicates
from cli.commands.audit.questions import ask, list_questions
from cli.options.reading import READING, reading_options
from cli.options.rounds import gold_rounds_option
from cli.options.shared import format_option, is_given

Action = Callable[[click.Context, dict[str, Any]], int | None]


@click.command("audit")
@click.argument("store", metavar="STORE", required=False)
@click.argument("queries", metavar="[QUERY]...", nargs=-1)
@click.option("--labels", metavar="NAME", help="The label set that is asked about, if there are several.")
@click.option("--by", metavar="SQL", help="Of slices and estimates: an expression over the view reviews.")
@gold_rounds_option
@click.option(
    "--gold", metavar="INPUT", multiple=True, help="Add the labels of these files, by id, as a round of gold."
)
@click.option(
    "--against",
    metavar="INPUT",
    multiple=True,
    help="Of near-duplicates: rows that are nearly the same as one of these files, such as a test.",
)
@click.option(
    "--similarity",
    type=click.FloatRange(0, 1, min_open=True),
    help="Of near-duplicates: the least that counts. [default: that of the store's marks, or 0.8]",
)
@click.option("--id", "id_", metavar="COLUMN", help="With --gold or --against: column of ids. [default: found]")
@click.option("--label", metavar="COLUMN", help="With --gold or --against: column of labels. [default: found]")
@reading_options
@click.option("--source", metavar="NAME", help="With --gold: where the labels are from. [default: the file's name]")
@click.option(
    "--on-bad-row",
    type=click.Choice(["reject", "fail"]),
    default="reject",
    show_default=True,
    help="With --gold: leave a bad row out and say why (exit code 3), or stop at it.",
)
@click.option(
    "--calibrate", is_flag=True, help="Fit the temperature of the label set to gold, and keep it beside its labels."
)
@click.option(
    "--trained-on",
    metavar="INPUT",
    multiple=True,
    help="With --calibrate: gold that the teacher was trained on; rows with its texts do not count.",
)
@click.option(
    "--text",
    metavar="COLUMN[,COLUMN...]",
    help="With --trained-on or --against: column of texts, as of the other commands. [default: found]",
)
@click.option("--list", "list_", is_flag=True, help="List the questions, with their SQL in json and jsonl.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds, of all questions together.",
)
@click.option("--memory", default="4GB", show_default=True, help="Limit of the questions' memory.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int | None:
    """Ask a store how good its labels are, or add human labels to it.

    A QUERY is a question with a name; without one, a few quick ones that the store can answer are asked. Each is one
    SELECT over the views of `engine sql`, but for near-duplicates, which compares the texts themselves and is asked
    alone: with --against FILE it says which rows of the store are nearly the same as test rows.

    With --gold nothing is asked: the labels of INPUT (and of all files given in place of a QUERY) become one round of
    gold. They are class names, or indices of classes. A row's latest label holds; none is ever lost.

    With --calibrate one number is fitted: the temperature by which logits are divided so that probabilities are honest
    (Guo et al. 2017). Predictions stay. The gold must not be what the teacher was trained on: name its --round, or
    that file with --trained-on. `engine train --calibrated` learns from such probabilities.

    \b
    Example:
      engine audit reviews.store accuracy calibration --labels teacher
      engine audit reviews.store slices --by "left(id, 3)"
      engine audit reviews.store near-duplicates --against test.csv
      engine audit reviews.store --gold annotated.csv
      engine audit reviews.store --calibrate --round 1
    """
    action, needs_store = _action(ctx, options)
    if needs_store and options["store"] is None:
        raise click.UsageError("Missing argument 'STORE'.")
    return action(ctx, options)


def _action(ctx: click.Context, options: dict[str, Any]) -> tuple[Action, bool]:
    """The action that the options ask for, and whether it needs a STORE.

    Raises:
        click.UsageError: they ask for several things, or one of them says how to do another thing than that.
    """
    reading = () if options["trained_on"] else READING
    others = ("queries", "gold", "list_", "by", "id_", "label", "source", "against", "similarity", *reading)
    if options["calibrate"] and any(options[name] for name in others):
        raise click.UsageError(
            "--calibrate asks no QUERY and adds no --gold: only --labels, --round, --trained-on, and how to read "
            "that, go with it"
        )
    if NEAR_DUPLICATES in options["queries"] and not options["gold"]:
        if options["trained_on"] or options["source"] or options["list_"]:
            raise click.UsageError(f"--trained-on, --source and --list do not go with {NEAR_DUPLICATES}; see --against")
        return ask_near_duplicates, True
    if options["against"] or options["similarity"]:
        raise click.UsageError(f"--against and --similarity go with one question: engine audit STORE {NEAR_DUPLICATES}")
    if (options["trained_on"] or options["text"]) and not options["calibrate"]:
        raise click.UsageError("--trained-on and --text say which gold --calibrate must not see; give --calibrate too")
    if options["list_"]:
        return list_questions, False
    if options["calibrate"]:
        return calibrate, True
    if options["gold"]:
        return add_gold, True
    if given := [name for name in (*READING, "on_bad_row") if is_given(ctx, name)]:
        raise click.UsageError(f"--{given[0].replace('_', '-')} says how files are read, and needs --gold INPUT")
    return ask, True
