"""``engine remove``."""

import sys
from typing import TYPE_CHECKING, Any

import click

from cli.notes import say
from cli.options.shared import format_option
from cli.output import print_rows

if TYPE_CHECKING:
    from store.removal import Removal


@click.command("remove")
@click.argument("store", metavar="STORE")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@format_option
def command(**options: Any) -> int:
    """Take away label sets, selections or token ids, for good.

    TARGET is labels/NAME, selections/NAME or tokens/NAME. The command says what will go, and asks. It refuses what a
    selection or another label set needs, or what is being labelled. Texts and human labels always stay.

    \b
    Who reads the store meanwhile ends with the old rows, or with an error. A store is whole wherever this is stopped.

    \b
    Example:
      engine remove reviews.store labels/old-teacher
      engine remove reviews.store selections/sure labels/old-teacher tokens/5f1b2c --yes
    """
    from cli.main import ERROR, OK
    from store.removal import plan_removal, remove
    from store.store import open_store

    store = open_store(options["store"])
    _say_plan(plan_removal(store, options["targets"]))
    if not options["yes"] and not _confirmed():
        say("nothing was removed")
        return ERROR
    removed = remove(store, options["targets"])
    print_rows(
        [{name: getattr(one, name) for name in ("path", "files", "bytes", "rows")} for one in removed],
        options["format"],
    )
    return OK


def _say_plan(plan: "list[Removal]") -> None:
    for one in plan:
        size = "" if one.bytes is None else f", {one.bytes:,} bytes of data"
        rows = "" if one.rows is None else f", {one.rows:,} rows"
        say(f"{one.path}: {one.files:,} files{size}{rows}")
        for note in one.notes:
            say(f"  {note}")


def _confirmed() -> bool:
    """Whether the user says yes.

    Raises:
        click.UsageError: there is nobody to ask.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to ask on; give --yes to remove this for good")
    return click.confirm("Remove this for good?", err=True)
