"""``engine compare``."""

import json
from typing import TYPE_CHECKING, Any

import click

from cli.options.comparing import (
    price_options,
    read_prices,
    read_recipes,
    recipe_options,
    rows_options,
    size_options,
)
from cli.options.reading import column_options, read_columns, read_options
from cli.options.shared import FORMATS, named_place
from cli.output import note, print_rows, reader_may_go, report_rejects, shows_tables
from cli.progress import progress
from store.sql.json_values import json_value

if TYPE_CHECKING:
    from engine import Comparison


@click.command("compare", context_settings={"show_default": True})
@rows_options
@click.option("--teacher", metavar="MODEL", required=True, help="The teacher's initial weights: a hub id or a path.")
@click.option(
    "--student",
    metavar="MODEL",
    help="The student's initial weights; MODEL#layers=1,3,5 keeps some layers.",
)
@click.option(
    "--layers",
    metavar="LIST",
    help="In place of --student: these layers of the teacher, from 0, such as 1,3,5. A student that is distilled "
    "begins with those of its own teacher, as it was trained.",
)
@click.option(
    "--out",
    callback=named_place,
    metavar="DIR",
    required=True,
    help="Folder of the experiment; new, or that of one to go on with.",
)
@size_options
@recipe_options
@column_options
@price_options
@click.option("--plots", metavar="DIR", help="Write the plots into this folder, a path or a URL, for a paper.")
@click.option(
    "--format",
    type=click.Choice([*FORMATS, "latex", "html"]),
    help="How the table is printed. [default: table on a terminal, jsonl in a pipe]",
)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Is distilling worth it, on your own data?

    Trains, with each seed, a teacher on few labels; a student on the teacher's labels of the unlabelled texts; the same
    student on the few labels alone, and on those and the extra ones; and a student on the labels of a teacher of its
    own size. Judges all on the same test rows, and prints a table with intervals, and what may be said of it.
    With --layers, what is distilled begins with layers of its own teacher; else all students begin alike.

    Rows that the test has, too, are left out first. Every step is kept in DIR: the same command goes on where it was
    stopped, with more --seeds it adds some, and started twice it shares the work. Rows are drawn anew from --labelled
    and --extra by each seed. Recipes are fixed: one try for each arm.

    \b
    Example:
      engine compare --labelled gold.csv --extra more.csv --unlabelled reviews.txt --test test.csv \\
        --teacher MODEL --layers 1,3,5 --out comparison
      engine compare --labelled gold.csv --extra more.csv --unlabelled reviews.txt --test test.csv \\
        --teacher MODEL --layers 1,3,5 --out comparison --seeds 5 --arms teacher,direct,direct+extra
      engine compare --labelled gold.csv --unlabelled reviews.txt --teacher MODEL --student MODEL --out comparison
    """
    from engine import CompareConfig
    from engine.comparison.experiment.choices import LAYERS
    from engine.comparison.experiment.first_look import look_first

    if (options["student"] is None) == (options["layers"] is None):
        raise click.UsageError("give --student MODEL, or --layers 1,3,5 for layers of --teacher; one of the two")
    names = ("labelled", "extra", "unlabelled", "test", "teacher", "out", "seeds", "label_sizes")
    chosen = {
        name: options[name]
        for name in (*names, "pool_sizes", "keep_split", "classes", "on_bad_row", "max_hours", "arms")
    }
    config = CompareConfig(
        **{name: value for name, value in chosen.items() if value is not None},
        **read_recipes(options),
        student=options["student"] if options["layers"] is None else f"{LAYERS}{options['layers']}",
        labels=options["label_count"],
        near=options["near_duplicates"],
        columns=read_columns(options),
        options=read_options(options),
        prices=read_prices(options),
        plots=options["plots"],
    )
    look_first(config)
    from engine import compare

    with progress(ctx) as tick:
        comparison = compare(config, tick=tick, say=note, after_seed=lambda so_far: note(f"\n{so_far}\n"))
    _print(comparison, options["format"])
    return _exit_code(config.out)


def _print(comparison: "Comparison", format_: str | None) -> None:
    """Print the table and what is said of it: on stderr in the formats for programs that have the table alone."""
    texts = {"markdown": comparison.as_markdown, "latex": comparison.as_latex, "html": comparison.as_html}
    if format_ in texts:
        _echo(texts[format_]())
    elif shows_tables(format_):
        _echo(str(comparison))
    elif format_ == "json":
        _echo(json.dumps(json_value(comparison.as_dict()), ensure_ascii=False, indent=1))
    else:
        print_rows(comparison.records(), format_)
        note("\n".join(comparison.sentences))


def _echo(text: str) -> None:
    with reader_may_go():
        click.echo(text)


def _exit_code(out: str) -> int:
    """Whether rows were refused when the files were read; the first of them are shown."""
    from cli.main import OK, REJECTED
    from engine.comparison.experiment.data.rows import read_rows
    from engine.comparison.experiment.folder import ExperimentFolder

    rows = read_rows(ExperimentFolder(out).data)
    assert rows is not None, "an experiment that ended has rows"
    report_rejects(rows.rejected, rows.reasons)
    return REJECTED if rows.rejected else OK
