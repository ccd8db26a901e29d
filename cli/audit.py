"""``engine audit``."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.audit_gold import add_gold, calibrate
from cli.options import format_option, rounds_option
from cli.output import print_rows, print_title, read_rows, shows_tables

if TYPE_CHECKING:
    from store import Store
    from store.sql.questions import Question

Answer = tuple[list[str], list[dict[str, Any]]]


@click.command("audit")
@click.argument("store", metavar="STORE", required=False)
@click.argument("queries", metavar="[QUERY]...", nargs=-1)
@click.option("--labels", metavar="NAME", help="The label set that is asked about, where there are several.")
@click.option("--by", metavar="SQL", help="Of slices and estimates: an expression over the view reviews.")
@rounds_option
@click.option(
    "--gold", metavar="INPUT", multiple=True, help="Add the labels of these files, by id, as a round of gold."
)
@click.option("--id", "id_", metavar="COLUMN", help="With --gold: column of ids. [default: found]")
@click.option("--label", metavar="COLUMN", help="With --gold: column of labels. [default: found]")
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
@click.option("--text", metavar="COLUMN", help="With --trained-on: column of texts. [default: found]")
@click.option("--list", "list_", is_flag=True, help="List the questions, with their SQL in json and jsonl.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds, of each.")
@click.option("--memory", default="4GB", show_default=True, help="Limit of each question's memory.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int | None:
    """Ask a store how good its labels are, or add human labels to it.

    A QUERY is a question with a name; without one, a few quick ones that the store can answer are asked. Each is one
    SELECT over the views of `engine sql`.

    With --gold nothing is asked: the labels of INPUT (and of all that stands in the place of a QUERY) become one round
    of gold. They are class names, or indices of classes. A row's latest label holds; none is ever lost.

    With --calibrate one number is fitted: the temperature by which logits are divided so that probabilities are honest
    (Guo et al. 2017). Predictions stay. The gold must not be what the teacher was trained on: name its --round, or
    that file with --trained-on. `engine train --calibrated` learns from such probabilities.

    \b
    Example:
      engine audit reviews.store accuracy calibration --labels teacher
      engine audit reviews.store slices --by "left(id, 3)"
      engine audit reviews.store --gold annotated.csv
      engine audit reviews.store --calibrate --round 1
    """
    from store.store import open_store

    _check(options)
    if options["list_"]:
        _list(options["format"])
        return None
    if options["store"] is None:
        raise click.UsageError("Missing argument 'STORE'.")
    if options["calibrate"]:
        calibrate(options)
        return None
    if options["gold"]:
        return add_gold(ctx, options)
    if options["id_"] or options["label"] or options["source"]:
        raise click.UsageError("--id, --label and --source say how --gold INPUT is read; give --gold too")
    options["rounds"] = list(options["rounds"]) or None
    if options["by"] is not None and len(options["queries"]) != 1:
        raise click.UsageError("--by says how one question makes slices, such as: engine audit STORE slices --by SQL")
    asked = _named(options["queries"])
    store = open_store(options["store"])
    several = len(asked) != 1
    if several and options["format"] == "csv":
        raise click.UsageError("csv holds one table: name one question")
    ready = _ready(store, asked, options) if options["queries"] else _overview(store, options)
    answers = ((question, _answer(question, options)) for question in ready)
    if shows_tables(options["format"]):
        _print_tables(answers, options["format"], titled=several)
    else:
        _print_records(answers, options["format"], named=several)
    return None


def _check(options: dict[str, Any]) -> None:
    """Refuse what does not go together."""
    others = ("queries", "gold", "list_", "by", "id_", "label", "source")
    if options["calibrate"] and any(options[name] for name in others):
        raise click.UsageError(
            "--calibrate asks no QUERY and adds no --gold: only --labels, --round, --trained-on go with it"
        )
    if (options["trained_on"] or options["text"]) and not options["calibrate"]:
        raise click.UsageError("--trained-on and --text say which gold --calibrate must not see; give --calibrate too")


def _list(format_: str | None) -> None:
    from store.sql.questions import questions

    rows = [{"name": one.name, "needs": ", ".join(one.needs), "help": one.help} for one in questions().values()]
    if format_ != "csv" and not shows_tables(format_):
        rows = [{**row, "sql": questions()[row["name"]].sql} for row in rows]
    print_rows(rows, format_)


def _named(names: tuple[str, ...]) -> "list[Question]":
    from store.errors import QueryError
    from store.sql.questions import OVERVIEW, question

    try:
        return [question(name) for name in names or OVERVIEW]
    except QueryError as error:
        raise click.BadParameter(f"{error} See engine audit --list.", param_hint="QUERY") from None


def _ready(store: "Store", asked: "list[Question]", options: dict[str, Any]) -> "list[Question]":
    from store.sql.questions import ready

    seen = {"labels": options["labels"], "rounds": options["rounds"]}
    checked = [ready(store, question.name, **seen) for question in asked]
    return checked if options["by"] is None else [_sliced(question, options) for question in checked]


def _sliced(question: "Question", options: dict[str, Any]) -> "Question":
    from store.sql.process import Limits, child_asker
    from store.sql.questions import sliced

    ask = child_asker(options["store"], Limits(timeout=options["timeout"], memory=options["memory"]))
    return sliced(question, options["by"], ask=lambda sql: ask(sql, options["labels"]))


def _overview(store: "Store", options: dict[str, Any]) -> "list[Question]":
    """The questions that this store can answer; a note says which it cannot, and why."""
    from store.sql.questions import OVERVIEW, lacking, question

    asked = []
    for name in OVERVIEW:
        lack = lacking(store, question(name), labels=options["labels"], rounds=options["rounds"])
        if lack is None:
            asked.append(question(name))
        elif not (click.get_current_context().obj or {}).get("quiet"):
            click.echo(f"{name} is left out: {lack}", err=True)
    return asked


def _answer(question: "Question", options: dict[str, Any]) -> Answer:
    """Columns and rows, by a process that ends when its time is over."""
    from store.sql.process import Limits, run_in_child

    limits = Limits(timeout=options["timeout"], memory=options["memory"])
    with tempfile.TemporaryDirectory(prefix="engine-audit-") as folder:
        result = Path(folder) / "result.arrows"
        seen = {"labels": options["labels"], "rounds": options["rounds"]}
        run_in_child(options["store"], question.sql, result, **seen, limits=limits)
        columns, rows = read_rows(result)
        return columns, list(rows)


def _print_tables(answers: "Iterator[tuple[Question, Answer]]", format_: str | None, *, titled: bool) -> None:
    for question, (columns, rows) in answers:
        if titled:
            print_title(f"{question.name}: {question.help}", format_)
        print_rows(rows, format_ or "table", columns=columns)


def _print_records(answers: "Iterator[tuple[Question, Answer]]", format_: str | None, *, named: bool) -> None:
    """One array or one stream of lines; a row says whose it is where there may be several questions."""
    columns: list[str] = []
    records = []
    for question, answer in answers:
        columns, rows = answer
        records += [{"question": question.name, **row} if named else row for row in rows]
    print_rows(records, format_, columns=columns)
