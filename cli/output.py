"""Rows → stdout, in the format that the user or the terminal asks for; notes → stderr."""

import csv
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from cli.notes import say
from store.sql.json_values import json_value

if TYPE_CHECKING:
    from engine.outputs.file import OutputFile
    from store import Store

Row = dict[str, Any]
_SHOWN_REASONS = 5


def print_rows(rows: Iterable[Row], format_: str | None, *, columns: list[str] | None = None) -> None:
    """Print ``rows`` on stdout.

    Args:
        rows: dicts with the same keys; printed as they come in jsonl and csv.
        format_: ``table``, ``json``, ``jsonl``, ``csv`` or ``markdown``; by the terminal if None.
        columns: the keys; needed if there may be no row.
    """
    with reader_may_go():
        _print(rows, format_ or ("table" if sys.stdout.isatty() else "jsonl"), columns)


@contextmanager
def reader_may_go() -> Iterator[None]:
    """If the reader of stdout has gone, as `head` does, print nothing more, also not at exit."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_rows(result: Path) -> tuple[list[str], Iterator[Row]]:
    """Columns and rows of the Arrow IPC stream that a query's process wrote."""
    import pyarrow as pa

    reader = pa.ipc.open_stream(pa.memory_map(str(result)))
    return reader.schema.names, (row for batch in reader for row in batch.to_pylist())


def shows_tables(format_: str | None) -> bool:
    """Whether ``format_``, or the terminal if it is None, wants tables for people."""
    return format_ in ("table", "markdown") or (format_ is None and sys.stdout.isatty())


def print_title(title: str, format_: str | None) -> None:
    """Print the title of a table."""
    with reader_may_go():
        click.echo(f"### {title}\n" if format_ == "markdown" else shown(title))


def write_rows(rows: Iterable[Row], format_: str, file: TextIO, *, columns: list[str]) -> None:
    """Write ``rows`` into ``file`` as ``json`` (one array), ``jsonl`` or ``csv``, one after the other."""
    if format_ == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_csv_cell(value) for value in row.values()] for row in rows)
        return
    before, between, after = ("[\n", ",\n", "\n]\n") if format_ == "json" else ("", "\n", "\n")
    count = 0
    for count, row in enumerate(rows, start=1):
        file.write((before if count == 1 else between) + json.dumps(json_value(row), ensure_ascii=False))
    if count:
        file.write(after)
    elif format_ == "json":
        file.write("[]\n")


def _print(rows: Iterable[Row], format_: str, columns: list[str] | None) -> None:
    if format_ in ("table", "markdown"):
        held = list(rows)
        _print_table(held, columns or (list(held[0]) if held else []), markdown=format_ == "markdown")
        return
    if columns is None:
        rows = list(rows)
        columns = list(rows[0]) if rows else []
    write_rows(rows, format_, sys.stdout, columns=columns)


def print_summary(summary: Row, format_: str | None) -> None:
    """Print one record: name and value below each other in a table, else one row."""
    chosen = format_ or ("table" if sys.stdout.isatty() else "jsonl")
    if chosen in ("table", "markdown"):
        print_rows([{"": name, "value": value} for name, value in summary.items()], chosen)
    else:
        print_rows([summary], chosen)


def _print_table(rows: list[Row], columns: list[str], *, markdown: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000, soft_wrap=markdown)
    table = Table(box=box.MARKDOWN if markdown else box.SIMPLE_HEAD)
    for column in columns:
        right = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(Text(shown(column)), justify="right" if right else "left", overflow="fold")
    for row in rows:
        cells = (shown(_cell(row[column], "" if markdown else "·")) for column in columns)
        table.add_row(*(Text(cell.replace("|", "\\|") if markdown else cell) for cell in cells))
    console.print(table)


def _csv_cell(value: Any) -> Any:
    """``value`` as CSV can say it: all digits of a number, nothing for null, JSON for nested values."""
    plain = json_value(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, bool | dict | list) else plain


def _cell(value: Any, null: str) -> str:
    if value is None:
        return null
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    plain = json_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def shown(text: str) -> str:
    """Without characters that could move the cursor or change the terminal."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


def report_rejects(rejected: int, reasons: list[str], *, are_printed: bool = False) -> None:
    """Say on stderr which rows were refused, the first of them in full, unless stdout has these already."""
    from engine.inputs.labels.refused import rows_of_line

    if rejected and are_printed:
        say(f"{rejected:,} {'row was' if rejected == 1 else 'rows were'} rejected: see reasons", level=logging.WARNING)
    elif rejected:
        lines = [f"{rejected:,} {'row was' if rejected == 1 else 'rows were'} rejected:"]
        lines += [f"  {shown(reason)}" for reason in reasons[:_SHOWN_REASONS]]
        if more := rejected - sum(map(rows_of_line, reasons[:_SHOWN_REASONS])):
            lines.append(f"  … and {more:,} more")
        say("\n".join(lines), level=logging.WARNING)


def note_appended(store: "Store", rows: int | None, what: str) -> None:
    """Say on stderr that ``what`` knows only the ``rows`` rows that ``store`` had then, if it has more."""
    from store.gold.fingerprint import appended_since

    if rows is not None and (since := appended_since(store, rows)):
        note(f"{what} was made before {since}, and knows nothing of them")


def note(text: str) -> None:
    """Say ``text`` on stderr, but not with ``--quiet``."""
    context = click.get_current_context(silent=True)
    if context is None or not (context.obj or {}).get("quiet"):
        say(text)


def note_replaced(out: "OutputFile") -> None:
    """Say on stderr that a file of this name is there, which the one that is made replaces."""
    if out.exists():
        note(f"{out} is there already, and is replaced")
