"""``engine label``."""

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from cli.options import CommaSeparated, format_option
from cli.output import print_summary, progress, shown
from cli.reading import column_options, read_columns, read_options

if TYPE_CHECKING:
    from engine import LabelConfig, LabelSummary


class Devices(CommaSeparated):
    """Devices with commas between them."""

    name = "DEVICE,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """``"cuda:0,cuda:1"`` → ``("cuda:0", "cuda:1")``."""
        devices = super().convert(value, param, ctx)
        for device in devices:
            kind, _, number = device.partition(":")
            if device not in ("auto", "cpu", "cuda") and not (kind == "cuda" and number.isdecimal()):
                self.fail(f"{device!r} is no device; auto, cpu, cuda or cuda:N is", param, ctx)
        if "auto" in devices and len(devices) > 1:
            self.fail(f"{value!r} has auto among others; auto stands alone", param, ctx)
        return devices


class Part(click.ParamType[tuple[int, int]]):
    """One of several parts, counted from 0."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``"0/4"`` → ``(0, 4)``."""
        part, slash, parts = str(value).partition("/")
        if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
            self.fail(f"{value!r} is no part; for 4 runs side by side give 0/4, 1/4, 2/4 and 3/4", param, ctx)
        return int(part), int(parts)


class Budget(click.ParamType[int | None]):
    """A number of tokens, or None for the one that is fastest."""

    name = "auto|TOKENS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """``"auto"`` → None."""
        if value in ("auto", None):
            return None
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is no number of tokens; give auto, or 1 or more", param, ctx)
        return int(value)


@click.command("label")
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("--store", metavar="STORE", required=True, help="Folder of the store; made if it does not exist.")
@click.option("--teacher", metavar="MODEL", required=True, help="Fine-tuned classifier: a hub id or a path.")
@click.option("--revision", help="Branch, tag or commit of a hub id.")
@click.option(
    "--shards", type=click.IntRange(min=1), help="Files to cut the rows of INPUT into. [default: one for 32,768 rows]"
)
@click.option("--append", is_flag=True, help="Add the rows of each INPUT that STORE does not have to it.")
@click.option("--name", help="Name of the label set. [default: from the teacher's]")
@column_options
@click.option(
    "--classes", type=CommaSeparated(), help="Class names in order, where gold labels or the teacher do not say them."
)
@click.option(
    "--max-length",
    type=click.IntRange(min=4, max=65_535),
    help="Tokens a row. [default: its training's, or 512]",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "fp32", "fp16", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="Of the computation; auto is fp16 on CUDA, and on a CPU what is fastest and near fp32, measured if that pays.",
)
@click.option(
    "--devices",
    type=Devices(),
    default="auto",
    show_default=True,
    help="A worker for each: cuda:0,cuda:1 or cpu,cpu or one twice, as cuda:0,cuda:0; auto is every CUDA device, or "
    "cpu: a process of one thread for each core that affinity and quota give.",
)
@click.option(
    "--worker",
    type=Part(),
    help="Label only the shards whose number leaves I when divided by N, beside other runs. [default: all]",
)
@click.option(
    "--tokens-per-batch",
    type=Budget(),
    default="auto",
    show_default=True,
    help="Tokens a batch; auto measures which is fastest, if there is enough text for that to pay.",
)
@click.option(
    "--check-rows",
    type=click.IntRange(min=0),
    help="Rows of each shard that are computed again, alone and in fp32; at most one in 256. [default: 8]",
)
@click.option("--keep-tokens/--no-keep-tokens", default=True, show_default=True, help="Store token ids for students.")
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Label texts with a teacher, into a store.

    The first run reads INPUT (Parquet, Arrow, CSV, TSV, JSON, plain text; the last four also .gz, .zst, .bz2 or .xz;
    or a folder of them) into the store's corpus. Every run labels the shards that are missing: run it again to resume.

    With --append, files that a store does not have are added to it, behind what is there: nothing of that changes, and
    each label set lacks the new rows until it is labelled again. Ids that are there are refused; a file that is there
    changes nothing.

    \b
    Example:
      engine label reviews/*.parquet --store reviews.store --teacher ./teacher --shards 16
      engine label --store reviews.store --teacher ./teacher --devices cuda:0,cuda:1
      engine label march.parquet --store reviews.store --teacher ./teacher --append
    """
    from engine import Choices, LabelConfig

    config = LabelConfig(
        store=options["store"],
        teacher=options["teacher"],
        revision=options["revision"],
        inputs=options["inputs"],
        columns=read_columns(options),
        options=read_options(options),
        classes=options["classes"],
        shards=options["shards"],
        append=options["append"],
        name=options["name"],
        choices=Choices(
            max_length=options["max_length"],
            dtype=None if options["dtype"] == "auto" else options["dtype"],
            tokens_per_batch=options["tokens_per_batch"],
            check_rows=options["check_rows"],
        ),
        devices=options["devices"],
        worker=options["worker"],
        keep_tokens=options["keep_tokens"],
        on_bad_row=options["on_bad_row"],
    )
    summary = _label(ctx, config)
    print_summary(dataclasses.asdict(summary), options["format"])
    return _exit_code(summary.rejected, summary.failed, config.store)


def _label(ctx: click.Context, config: "LabelConfig") -> "LabelSummary":
    """Label; on a terminal, ask whether new files are to be appended."""
    from engine import label
    from engine.errors import NewFilesError

    try:
        with progress(ctx) as tick:
            return label(config, tick=tick)
    except NewFilesError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        first = shown(", ".join(error.files[:3]) + (", …" if len(error.files) > 3 else ""))
        files = f"{len(error.files):,} new file{'s' * (len(error.files) != 1)} ({first})"
        if not click.confirm(f"append {files} to {shown(error.store)}?", err=True):
            raise
    return _label(ctx, dataclasses.replace(config, append=True))


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
