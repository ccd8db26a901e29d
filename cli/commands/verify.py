"""``engine verify``."""

import logging
from typing import TYPE_CHECKING, Any

import click

from cli.notes import say
from cli.options.shared import format_option
from cli.output import print_rows
from cli.progress import progress

if TYPE_CHECKING:
    from store.format.findings import Finding
    from store.storage import Storage
    from store.verify.process import Verification


@click.command("verify")
@click.argument("store", metavar="STORE")
@click.option("--repair", is_flag=True, help="Make again what is damaged, and only that.")
@click.option("--teacher", metavar="MODEL", help="With --repair: where the teacher is now. [default: where it was]")
@click.option(
    "--input",
    "inputs",
    metavar="INPUT",
    multiple=True,
    help="With --repair: where an input file is now; once for each, in their first order. [default: where they were]",
)
@format_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Check a store for damage: all hashes, row numbers and records.

    It also checks whether the families of the store fit together.

    \b
    Prints what it finds, a row each: damage (damaged, missing, mismatch) ends with exit code 4. What is merely
    unfinished, or litter that a killed writer left, is named too and does no harm.

    \b
    With --repair, small files come back from their copies, data files from the inputs and from the teacher.

    \b
    Example:
      engine verify reviews.store --repair
    """
    from cli.main import DAMAGED, OK
    from store.storage import open_storage
    from store.verify.process import verify_store

    if (options["teacher"] or options["inputs"]) and not options["repair"]:
        raise click.UsageError("--teacher and --input say where to repair from; give --repair too")
    storage = open_storage(options["store"])
    with progress(ctx) as tick:
        found = verify_store(storage, tick=tick)
    _print(found.findings, options["format"])
    if options["repair"] and found.findings:
        with progress(ctx) as tick:
            found = _repair(storage, found, options, tick)
    damage = len(found.damage)
    say(f"{options['store']}: {found.files:,} data files read, {_counted(damage, 'finding')} of damage")
    return DAMAGED if damage else OK


def _repair(storage: "Storage", found: "Verification", options: dict[str, Any], tick: Any) -> "Verification":
    from engine.labelling.job import labeller_of
    from engine.labelling.repair import repair

    done = repair(
        storage,
        found,
        open_labeller=lambda made, name: labeller_of(made, name, teacher=options["teacher"]),
        inputs=options["inputs"],
        tick=tick,
    )
    for name in done.restored:
        say(f"restored {name}")
    for path, shard in done.redone:
        say(f"made again {path}, shard {shard}")
    for name in done.removed:
        say(f"removed {name}")
    for obstacle in done.obstacles:
        say(f"could not be made again: {obstacle}", level=logging.WARNING)
    for finding in done.after.damage:
        say(f"still {finding.kind}: {finding.file} {finding.problem}", level=logging.WARNING)
    return done.after


def _print(findings: "list[Finding]", format_: str | None) -> None:
    import dataclasses

    columns = ["kind", "family", "shard", "file", "problem"]
    rows = [{**dataclasses.asdict(finding), "kind": str(finding.kind)} for finding in findings]
    print_rows(rows, format_, columns=columns)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
