"""``engine label``."""

import dataclasses
from typing import Any

import click

from cli.computing import computing_options, read_choices
from cli.options import CommaSeparated, format_option
from cli.output import print_summary, progress
from cli.reading import column_options, read_columns, read_options


class Part(click.ParamType[tuple[int, int]]):
    """One of several parts, counted from 0."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``"0/4"`` → ``(0, 4)``."""
        part, slash, parts = str(value).partition("/")
        if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
            self.fail(f"{value!r} is no part; for 4 runs side by side give 0/4, 1/4, 2/4 and 3/4", param, ctx)
        return int(part), int(parts)


@click.command("label")
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("--store", metavar="STORE", required=True, help="Folder of the store; made if it does not exist.")
@click.option("--teacher", metavar="MODEL", required=True, help="Fine-tuned classifier: a hub id or a path.")
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option("--shards", type=click.IntRange(min=1), help="Files to cut the rows into. [default: one for 32,768 rows]")
@click.option("--name", help="Name of the label set. [default: from the teacher's]")
@column_options
@click.option(
    "--classes", type=CommaSeparated(), help="Class names in order, where gold labels or the teacher do not say them."
)
@computing_options
@click.option(
    "--worker",
    type=Part(),
    help="Label only the shards whose number leaves I when divided by N, beside other runs. [default: all]",
)
@click.option("--keep-tokens/--no-keep-tokens", default=True, show_default=True, help="Store token ids for students.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Label texts with a teacher, into a store.

    The first run reads INPUT (Parquet, Arrow, CSV, TSV, JSON, plain text; the last four also .gz, .zst, .bz2 or .xz;
    or a folder of them) into the store's corpus. Every run labels the shards that are missing: run it again to resume.

    \b
    Example:
      engine label reviews/*.parquet --store reviews.store --teacher ./teacher --shards 16
      engine label --store reviews.store --teacher ./teacher --devices cuda:0,cuda:1
    """
    from engine import LabelConfig, label

    config = LabelConfig(
        store=options["store"],
        teacher=options["teacher"],
        revision=options["revision"],
        inputs=options["inputs"],
        columns=read_columns(options),
        options=read_options(options),
        classes=options["classes"],
        shards=options["shards"],
        name=options["name"],
        choices=read_choices(options),
        devices=options["devices"],
        worker=options["worker"],
        keep_tokens=options["keep_tokens"],
        on_bad_row=options["on_bad_row"],
    )
    with progress(ctx) as tick:
        summary = label(config, tick=tick)
    print_summary(dataclasses.asdict(summary), options["format"])
    return _exit_code(summary.rejected, summary.failed, config.store)


def _exit_code(rejected: int, failed: int, store: Any) -> int:
    from cli.main import OK, REJECTED

    if rejected:
        click.echo(
            f"{rejected:,} input {'row was' if rejected == 1 else 'rows were'} rejected; see why: engine sql {store} "
            '"SELECT reason, count(*) FROM rejects GROUP BY 1"',
            err=True,
        )
    if failed:
        click.echo(
            f"{failed:,} rows could not be labelled; see why: engine sql {store} "
            '"SELECT failure, count(*) FROM labels WHERE failure IS NOT NULL GROUP BY 1"',
            err=True,
        )
    return REJECTED if rejected or failed else OK
