"""``engine label``."""

import dataclasses
import logging
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from cli.commands.label.answers import from_options, label_from, refuse_flags
from cli.commands.label.forecast import forecast, pilot_options
from cli.notes import say
from cli.options.computing import computing_options, read_choices
from cli.options.part import part_options
from cli.options.reading import column_options, read_columns, read_options
from cli.options.shared import CommaSeparated, format_option
from cli.output import print_summary, shown
from cli.progress import progress

if TYPE_CHECKING:
    from engine import LabelConfig, LabelSummary


@click.command("label")
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("--store", metavar="STORE", required=True, help="Folder of the store; made if it does not exist.")
@click.option("--teacher", metavar="MODEL", help="Fine-tuned classifier: a hub id or a path.")
@from_options
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
    "--mark-near-duplicates",
    metavar="SIMILARITY",
    type=click.FloatRange(0, 1, min_open=True),
    help="Mark each row that is so similar to an earlier one, as 0.8; none is left out.",
)
@computing_options
@part_options
@click.option("--keep-tokens/--no-keep-tokens", default=True, show_default=True, help="Store token ids for students.")
@pilot_options
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Label texts with a teacher, or take anybody's answers.

    The first run reads INPUT (Parquet, Arrow, CSV, TSV, JSON, plain text, WebDataset tars; the last five also .gz,
    .zst, .bz2 or .xz; or a folder of them) into the store's corpus. Every run labels the shards that are missing: run
    it again to resume.

    With --append, files that a store does not have are added to it, behind what is there: nothing of that changes, and
    each label set lacks the new rows until it is labelled again. Ids that are there are refused; a file that is there
    changes nothing.

    With --mark-near-duplicates, rows that are nearly the same as an earlier one (Jaccard index of their sets of three
    words in a row; MinHash finds them) have its row number in the column near_duplicate_of, and how similar they are in
    near_duplicate_similarity: in engine sql and engine select, near_duplicate_of IS NULL takes one of each. Rows that
    are appended later are compared with all before them.

    With --from there is no teacher: the answers of these files (of a language model, of annotators) become a label set
    of a store that exists, by id. A file has a column of ids and either a column for each class, called as the class
    is, perhaps behind probability_, p_, score_ or logit_, or one of labels. A row of the store without an answer is a
    failure, which trainings leave out.

    With --pilot, N rows that have the mix of all (of lengths and input files) are labelled first, and a forecast of the
    time, the device-seconds, the disk and, where there is gold, the accuracy is printed on stderr, noted with the run
    and shown by engine info. If N rows are three shards or more, they are whole shards, which count like any others.
    With --dry-run that is all, on stdout, and nothing is written: no store has to be there.

    \b
    Example:
      engine label reviews/*.parquet --store reviews.store --teacher ./teacher --shards 16
      engine label --store reviews.store --teacher ./teacher --devices cuda:0,cuda:1
      engine label march.parquet --store reviews.store --teacher ./teacher --append
      engine label reviews/*.parquet --store reviews.store --teacher ./teacher --dry-run
      engine label reviews/*.parquet --store reviews.store --teacher ./teacher --mark-near-duplicates 0.8
      engine label --store reviews.store --teacher ./teacher --pilot 100000 --max-hours 8
      engine label --store reviews.store --teacher ./teacher --on ray
      engine label --store reviews.store --name gpt --from answers.parquet
      engine label --store reviews.store --name crowd --from crowd.csv --annotator worker
    """
    refuse_flags(ctx, options)
    return label_from(ctx, options) if options["from"] else _with_teacher(ctx, options)


def _with_teacher(ctx: click.Context, options: dict[str, Any]) -> int:
    """Label with a teacher; the exit code."""
    from engine import LabelConfig

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
        choices=read_choices(options),
        devices=options["devices"],
        on=options["on"],
        workers=options["workers"],
        worker=options["worker"],
        keep_tokens=options["keep_tokens"],
        on_bad_row=options["on_bad_row"],
        near_duplicates=options["mark_near_duplicates"],
        pilot=options["pilot"],
        max_hours=options["max_hours"],
    )
    if options["dry_run"]:
        return forecast(ctx, config, options["format"])
    summary = _label(ctx, config)
    print_summary(dataclasses.asdict(summary), options["format"])
    return _exit_code(summary, options["store"])


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


def _exit_code(summary: "LabelSummary", store: str) -> int:
    """The exit code: what other runs rejected, or could not label, is none of this one's."""
    from cli.main import OK, REJECTED

    if rejected := summary.rejected_given:
        say(
            f"{rejected:,} input {'row was' if rejected == 1 else 'rows were'} rejected; see why: engine sql "
            f'{shlex.quote(store)} "SELECT reason, count(*) FROM rejects GROUP BY 1"',
            level=logging.WARNING,
        )
    if summary.failed:
        name = summary.name.replace("'", "''")
        whose = "" if summary.failed_now else f" of {summary.name!r}, by earlier runs"
        say(
            f'{summary.failed:,} rows could not be labelled{whose}; see why: engine sql {shlex.quote(store)} "SELECT '
            f"failure, count(*) FROM labels WHERE label_set = '{name}' AND failure IS NOT NULL GROUP BY 1\"",
            level=logging.WARNING if summary.failed_now else logging.INFO,
        )
    return REJECTED if rejected or summary.failed_now else OK
