"""``engine audit`` with named questions, and ``--list``.

All questions are asked of one child process. It starts before anything else, because this process, too, takes some
tenths of a second to import what it needs.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.commands.audit.near_duplicates import HELP, NEEDS
from cli.commands.audit.near_duplicates import NAME as NEAR_DUPLICATES
from cli.commands.audit.tables import for_people
from cli.output import (
    note,
    note_appended,
    print_rows,
    print_title,
    read_rows,
    shows_tables,
)

if TYPE_CHECKING:
    from store import Store
    from store.sql.process import Child, Limits
    from store.sql.questions import Question

Answer = tuple[list[str], list[dict[str, Any]]]


def list_questions(ctx: click.Context, options: dict[str, Any]) -> None:  # noqa: ARG001 - as the other actions
    """Print the name, needs and help of every question; with its SQL in json and jsonl."""
    from store.sql.questions import questions

    rows: list[dict[str, Any]] = [
        {"name": one.name, "needs": ", ".join(one.needs), "help": one.help, "sql": one.sql}
        for one in questions().values()
    ]
    rows.append({"name": NEAR_DUPLICATES, "needs": NEEDS, "help": HELP, "sql": None})
    if options["format"] == "csv" or shows_tables(options["format"]):
        rows = [{name: value for name, value in row.items() if name != "sql"} for row in rows]
    print_rows(rows, options["format"])


def ask(ctx: click.Context, options: dict[str, Any]) -> None:  # noqa: ARG001 - as the other actions
    """Ask the questions that are named, or those of the overview that the store can answer, and print the answers."""
    from store.sql.process import Child, Limits

    _check(options)
    seen = {"labels": options["labels"], "rounds": list(options["rounds"]) or None}
    limits = Limits(timeout=options["timeout"], memory=options["memory"])
    with Child(options["store"], **seen, limits=limits) as child:
        questions = _questions(options, seen, limits)
        answers = _answers(child, questions, warn=lambda: _warn(options["store"], questions, seen))
        _print(answers, options["format"], several=len(options["queries"]) != 1)


def _check(options: dict[str, Any]) -> None:
    """Refuse options that say how another action is done, or that go with one question only."""
    if options["id_"] or options["label"] or options["source"]:
        raise click.UsageError("--id, --label and --source say how --gold INPUT is read; give --gold too")
    if options["by"] is not None and len(options["queries"]) != 1:
        raise click.UsageError("--by says how one question makes slices, such as: engine audit STORE slices --by SQL")


def _questions(options: dict[str, Any], seen: dict[str, Any], limits: "Limits") -> "list[Question]":
    """The questions to ask, in order.

    Raises:
        StoreMissingError: the store lacks something that a named question needs.
    """
    from store.store import open_store

    named = _known(options["queries"])
    store = open_store(options["store"]).memoised()
    if options["format"] == "csv" and len(options["queries"]) != 1:
        raise click.UsageError("csv holds one table: name one question")
    checked = _ready(store, named, seen) if named else _overview(store, seen)
    return checked if options["by"] is None else [_sliced(one, options, limits) for one in checked]


def _warn(location: str, questions: "list[Question]", seen: dict[str, Any]) -> None:
    """Say what is known to be wrong with the answers."""
    from engine.evaluation.gold_note import gold_note
    from store.store import open_store

    store = open_store(location).memoised()
    if any("calibration" in one.needs for one in questions):
        _note_calibration(store, seen["labels"])
    if any(one.judges for one in questions):
        labels = store.one_label_set(seen["labels"])
        compares = any("two label sets" in one.needs for one in questions)
        others = [name for name in store.label_sets() if name != labels] if compares else []
        if said := gold_note(store, labels, seen["rounds"], compared=others):
            note(said)


def _note_calibration(store: "Store", labels: str | None) -> None:
    """Say so if the calibration that is asked about was made before rows were appended."""
    from store.gold.calibration import rows_calibrated, usable_calibration

    held = usable_calibration(store, store.one_label_set(labels))
    note_appended(store, rows_calibrated(store, held), f"calibration {held.number}")


def _known(names: tuple[str, ...]) -> "list[Question]":
    from store.errors import QueryError
    from store.sql.questions import question

    try:
        return [question(name) for name in names]
    except QueryError as error:
        raise click.BadParameter(f"{error} See engine audit --list.", param_hint="QUERY") from None


def _ready(store: "Store", asked: "list[Question]", seen: dict[str, Any]) -> "list[Question]":
    from store.sql.questions import ready

    return [ready(store, question.name, **seen) for question in asked]


def _sliced(question: "Question", options: dict[str, Any], limits: "Limits") -> "Question":
    from store.sql.process import child_asker
    from store.sql.questions import sliced

    ask_child = child_asker(options["store"], limits)
    return sliced(question, options["by"], ask=lambda sql: ask_child(sql, options["labels"]))


def _overview(store: "Store", seen: dict[str, Any]) -> "list[Question]":
    """The questions that this store can answer; a note says which it cannot, and why."""
    from store.sql.questions import OVERVIEW, lacking, question

    asked = []
    for name in OVERVIEW:
        lack = lacking(store, question(name), **seen)
        if lack is None:
            asked.append(question(name))
        else:
            note(f"{name} is left out: {lack}")
    return asked


def _answers(
    child: "Child", questions: "list[Question]", *, warn: Callable[[], None]
) -> "Iterator[tuple[Question, Answer]]":
    """Columns and rows of each question. If one fails, its error comes after the answers before it.

    Args:
        child: that answers.
        questions: in order.
        warn: is called before the first answer, and not where there is none: a mistake is all that is said then.
    """
    from store.errors import StoreError
    from store.sql.process import Query

    failure = None
    with tempfile.TemporaryDirectory(prefix="engine-audit-") as folder:
        files = [Path(folder) / f"{number}.arrows" for number in range(len(questions))]
        queries = [Query(sql=one.sql, result=file, name=one.name) for one, file in zip(questions, files, strict=True)]
        try:
            child.run(queries)
        except StoreError as error:
            failure = error
        if failure is None or any(file.exists() for file in files):
            warn()
        for question, file in zip(questions, files, strict=True):
            if file.exists():
                columns, rows = read_rows(file)
                yield question, (columns, list(rows))
    if failure is not None:
        raise failure


def _print(answers: "Iterator[tuple[Question, Answer]]", format_: str | None, *, several: bool) -> None:
    if shows_tables(format_):
        _print_tables(answers, format_, titled=several)
    else:
        _print_records(answers, format_, named=several)


def _print_tables(answers: "Iterator[tuple[Question, Answer]]", format_: str | None, *, titled: bool) -> None:
    for question, (columns, rows) in answers:
        if titled:
            print_title(f"{question.name}: {question.help}", format_)
        columns, rows = for_people(question.name, columns, rows)
        print_rows(rows, format_ or "table", columns=columns)


def _print_records(answers: "Iterator[tuple[Question, Answer]]", format_: str | None, *, named: bool) -> None:
    """One array or one stream of lines; a row has the name of its question if there may be several."""
    columns: list[str] = []
    records = []
    for question, answer in answers:
        columns, rows = answer
        records += [{"question": question.name, **row} if named else row for row in rows]
    print_rows(records, format_, columns=columns)
