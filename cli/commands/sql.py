"""``engine sql``."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.notes import say
from cli.options.shared import format_option, is_given
from cli.output import note_replaced, print_rows, read_rows, write_rows

if TYPE_CHECKING:
    from engine.outputs.file import OutputFile

_WRITERS = (".parquet", ".csv", ".json", ".jsonl", ".arrow")


@click.command("sql")
@click.argument("store", metavar="STORE")
@click.argument("query", required=False)
@click.option("--file", metavar="FILE", help="Read the query here, a path or a URL.")
@click.option("--labels", metavar="NAME", help="Label set of the view reviews, if there are several.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds.")
@click.option("--memory", default="4GB", show_default=True, help="Limit of the query's memory.")
@click.option("--out", metavar="FILE", help=f"Write the result here instead, a path or a URL ({' '.join(_WRITERS)}).")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Ask a store one SELECT.

    \b
    Views: corpus, labels, reviews (corpus and one label set joined), gold, rejects, shards, calibrations.
    They show all that is committed, also while a store is being labelled. Nothing can be written or changed.
    In gold is every label that people gave, round 0 being the corpus's own; reviews.gold is the one that holds.

    \b
    Example:
      engine sql reviews.store "SELECT label_set, class, count(*), avg(confidence) FROM labels GROUP BY ALL"
    """
    from store.sql.process import Limits, run_in_child

    query = _query(options["query"], options["file"])
    out = None if options["out"] is None else _checked_out(options["out"])
    if out is not None and is_given(ctx, "format"):
        raise click.UsageError(
            f"--format is of rows that are printed, and {out} is written as its name says: leave it out"
        )
    with tempfile.TemporaryDirectory(prefix="engine-sql-") as folder:
        result = Path(folder) / "result.arrows"
        limits = Limits(timeout=options["timeout"], memory=options["memory"])
        run_in_child(options["store"], query, result, labels=options["labels"], limits=limits)
        if out is not None:
            _write(result, out)
        else:
            columns, rows = read_rows(result)
            print_rows(rows, options["format"], columns=columns)


def _checked_out(name: str) -> "OutputFile":
    from engine.outputs.file import output_file

    if name == "-":
        raise click.BadParameter(
            "without --out the rows go to stdout, in any --format; leave it out", param_hint="--out"
        )
    out = output_file(name)
    if out.suffix not in _WRITERS:
        raise click.BadParameter(f"{out}: known endings are {' '.join(_WRITERS)}", param_hint="--out")
    out.check()
    return out


def _query(query: str | None, file: str | None) -> str:
    if (query is None) == (file is None):
        raise click.UsageError("give the query, or a file of it with --file, and not both")
    if query is not None:
        return query
    assert file is not None
    from engine.inputs.remote.mirror import file_here
    from engine.inputs.remote.sources import shown

    try:
        return file_here(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{shown(file)}: {error}", param_hint="--file") from None


def _write(result: Path, out: "OutputFile") -> None:
    """Copy the result into a file of the format that its name says; whole or not at all."""
    note_replaced(out)
    with out.made() as temporary:
        if out.suffix in (".parquet", ".arrow"):
            _write_arrow(result, temporary, parquet=out.suffix == ".parquet")
        else:
            columns, rows = read_rows(result)
            with temporary.open("w", encoding="utf-8", newline="") as file:
                write_rows(rows, out.suffix[1:], file, columns=columns)
    say(f"wrote {out}")


def _write_arrow(result: Path, temporary: Path, *, parquet: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    with pa.memory_map(str(result)) as source:
        reader = pa.ipc.open_stream(source)
        opened = pa.parquet.ParquetWriter if parquet else pa.ipc.new_file
        with opened(temporary, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
