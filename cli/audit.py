"""``engine audit``."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import format_option
from cli.output import print_rows, print_title, read_rows, shows_tables

if TYPE_CHECKING:
    from store import Store
    from store.audit import Question

Answer = tuple[list[str], list[dict[str, Any]]]


@click.command("audit")
@click.argument("store", metavar="STORE", required=False)
@click.argument("queries", metavar="[QUERY]...", nargs=-1)
@click.option("--labels", metavar="NAME", help="The label set that is asked about, where there are several.")
@click.option("--list", "list_", is_flag=True, help="List the questions, with their SQL in json and jsonl.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds, of each.")
@click.option("--memory", default="4GB", show_default=True, help="Limit of each question's memory.")
@format_option
def command(**options: Any) -> None:
    """Ask a store how good its labels are, by questions that have names.

    Without a QUERY, a few quick ones that the store can answer. Each is one SELECT over the views of `engine sql`.

    \b
    Example:
      engine audit reviews.store accuracy calibration --labels teacher
    """
    import store

    if options["list_"]:
        _list(options["format"])
        return
    if options["store"] is None:
        raise click.UsageError("Missing argument 'STORE'.")
    asked = _named(options["queries"])
    opened = store.open(options["store"])
    several = len(asked) != 1
    if several and options["format"] == "csv":
        raise click.UsageError("csv holds one table: name one question")
    ready = _ready(opened, asked, options["labels"]) if options["queries"] else _overview(opened, options["labels"])
    answers = ((question, _answer(question, options)) for question in ready)
    if shows_tables(options["format"]):
        _print_tables(answers, options["format"], titled=several)
    else:
        _print_records(answers, options["format"], named=several)


def _list(format_: str | None) -> None:
    from store.audit import questions

    rows = [{"name": one.name, "needs": ", ".join(one.needs), "help": one.help} for one in questions().values()]
    if format_ != "csv" and not shows_tables(format_):
        rows = [{**row, "sql": questions()[row["name"]].sql} for row in rows]
    print_rows(rows, format_)


def _named(names: tuple[str, ...]) -> "list[Question]":
    from store.audit import OVERVIEW, question
    from store.errors import QueryError

    try:
        return [question(name) for name in names or OVERVIEW]
    except QueryError as error:
        raise click.BadParameter(f"{error} See engine audit --list.", param_hint="QUERY") from None


def _ready(opened: "Store", asked: "list[Question]", labels: str | None) -> "list[Question]":
    from store.audit import ready

    return [ready(opened, question.name, labels=labels) for question in asked]


def _overview(opened: "Store", labels: str | None) -> "list[Question]":
    """The questions that this store can answer; a note says which it cannot, and why."""
    from store.audit import OVERVIEW, lacking, question

    asked = []
    for name in OVERVIEW:
        lack = lacking(opened, question(name), labels=labels)
        if lack is None:
            asked.append(question(name))
        elif not (click.get_current_context().obj or {}).get("quiet"):
            click.echo(f"{name} is left out: {lack}", err=True)
    return asked


def _answer(question: "Question", options: dict[str, Any]) -> Answer:
    """Columns and rows, by a process that ends when its time is over."""
    from store.sql_process import Limits, run_in_child

    limits = Limits(timeout=options["timeout"], memory=options["memory"])
    with tempfile.TemporaryDirectory(prefix="engine-audit-") as folder:
        result = Path(folder) / "result.arrows"
        run_in_child(options["store"], question.sql, result, labels=options["labels"], limits=limits)
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
