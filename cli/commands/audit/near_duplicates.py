"""``engine audit near-duplicates``: a question that no SQL answers, so that it is asked alone, of this process."""

from typing import TYPE_CHECKING, Any

import click

from cli.options.reading import READING, read_options
from cli.output import note, print_rows, shows_tables
from cli.progress import progress

if TYPE_CHECKING:
    from engine import NearDuplicateRows

NAME = "near-duplicates"
HELP = "Rows that are nearly the same as an earlier one; with --against, as a row of a test file. Totals on stderr."
NEEDS = "texts"
_OF_FILES = ("id_", "label", "text", *READING)
_SHOWN = 20
_ROWS_SHOWN = 5


def ask_near_duplicates(ctx: click.Context, options: dict[str, Any]) -> None:
    """Find near-duplicates and print them; of a table the first, and the totals on stderr."""
    import engine

    if options["queries"] != (NAME,) or options["by"] or options["labels"]:
        raise click.UsageError(f"{NAME} is asked alone, and of the texts: without another QUERY, --labels and --by")
    if not options["against"] and (given := [name for name in _OF_FILES if options[name]]):
        flag = given[0].rstrip("_").replace("_", "-")
        raise click.UsageError(f"--{flag} says how a file is read, and needs --against FILE here")
    config = engine.NearDuplicatesConfig(
        store=options["store"],
        against=options["against"],
        similarity=options["similarity"],
        rounds=options["rounds"] or None,
        columns=engine.ColumnNames(text=options["text"], id=options["id_"], label=options["label"]),
        options=read_options(options),
    )
    with progress(ctx) as tick:
        found = engine.near_duplicates(config, tick=tick)
    rows = found.table.to_pylist()
    if shows_tables(options["format"]):
        rows = [_short(row) for row in rows[:_SHOWN]]
    print_rows(rows, options["format"], columns=found.table.column_names)
    note(_totals(found, options["store"]))
    if len(rows) < len(found.table):
        note(f"the table has the first {len(rows)} of {len(found.table):,}; --format jsonl or csv gives all")


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """``row`` for a table: a long list has its beginning."""
    numbers = row.get("rows", [])
    if len(numbers) <= _ROWS_SHOWN:
        return row
    return {**row, "rows": [*numbers[:_ROWS_SHOWN], "…"]}


def _totals(found: "NearDuplicateRows", store: str) -> str:
    of_all = f"{found.near:,} of the {found.rows:,} rows of {store} are nearly the same as"
    if found.test_rows is None:
        what = f"an earlier one, in {found.groups:,} groups; in {found.disagreeing:,} of these gold disagrees"
    else:
        what = f"one of {found.groups:,} of the {found.test_rows:,} test rows; {found.disagreeing:,} have other gold"
    return f"{of_all} {what} (similarity from {found.similarity:g})"
