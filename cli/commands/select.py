"""``engine select``."""

import dataclasses
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.notes import say
from cli.options.shared import CommaSeparated, format_option, named_place
from cli.options.training import MOST_SEED
from cli.output import note, note_appended, print_rows, print_summary, shows_tables
from store.selections.export import ENDINGS
from store.selections.methods import DEFAULT_METHOD, METHODS

if TYPE_CHECKING:
    from engine.outputs.file import OutputFile
    from store import Store
    from store.selections.export_rows import SelectedRows
    from store.selections.selection import Selection

_LISTED = ["name", "selected", "of", "sql", "proposed", "sources_ok"]
_MOST_CLASSES = 20
_WAYS = "; ".join(f"{name}: {words}" for name, words in METHODS.items())


@click.command("select")
@click.argument("store", metavar="STORE")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--where", metavar="SQL", help="Condition on the columns of the view reviews. [default: all rows]")
@click.option(
    "--labels",
    metavar="NAME[,NAME...]",
    type=CommaSeparated(),
    help="Label set of the view reviews, if there are several. With --propose disagreement: those that are compared, "
    "the first being that of the view. [default: all, by name]",
)
@click.option("--order-by", metavar="SQL", help="Which rows come first; equal ones by row number.")
@click.option("--limit", type=click.IntRange(min=1), help="Keep so many of the first rows, of the final result.")
@click.option(
    "--propose",
    metavar="[METHOD]",
    type=click.Choice(list(METHODS)),
    is_flag=False,
    flag_value=DEFAULT_METHOD,
    help=f"Which rows come first, for annotators, in place of --order-by. {_WAYS}. Without a METHOD, {DEFAULT_METHOD}.",
)
@click.option("--seed", type=click.IntRange(0, MOST_SEED), help="Of --propose random. [default: 0]")
@click.option("--and", "and_", metavar="NAME", multiple=True, help="Only rows that are in this selection too.")
@click.option("--or", "or_", metavar="NAME", multiple=True, help="And all rows of this selection.")
@click.option("--not", "not_", metavar="NAME", multiple=True, help="But no row of this selection.")
@click.option("--list", "list_", is_flag=True, help="List the selections, and whether their sources are unchanged.")
@click.option("--show", metavar="NAME", help="Say what is in a selection: its card, and rows a class.")
@click.option(
    "--out",
    callback=named_place,
    metavar="FILE",
    help=f"Write the rows for annotators: {' '.join(ENDINGS)}; json is what Label Studio imports. A path or a URL.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds, of each query."
)
@click.option("--memory", default="4GB", show_default=True, help="Limit of each query's memory.")
@format_option
def command(**options: Any) -> None:
    """Freeze a set of rows under a name, with its SQL and its hashes.

    \b
    The rows are those of --where that are in every --and, and those of any --or, but none of any --not. Without
    --where that begins with all rows; where --or is all that is said, with none. --order-by and --limit come last.
    A row for which the condition is null is not selected. A selection is refused once its labels have changed.

    \b
    --propose leaves out what needs no label: rows with gold, other rows with their texts, and rows whose labelling
    failed; of equal texts one is proposed. What has been proposed holds also when its labels have come.

    \b
    --out, also of a selection that is there (--show), writes ids, texts and the predictions of --labels, by row. People
    add a column called label, and `engine audit STORE --gold FILE` adds their labels to the store.

    \b
    Example:
      engine select reviews.store sure --where "confidence > 0.95 AND n_tokens < 400"
      engine select reviews.store next --propose --limit 500 --out next.json
    """
    from store.store import open_store

    modes = [options["name"] is not None, options["list_"], options["show"] is not None]
    if sum(modes) != 1:
        raise click.UsageError("give the NAME of a new selection, or --list, or --show NAME")
    out = None if options["out"] is None else _checked_out(options["out"], lists=options["list_"])
    if options["name"] is None and len(options["labels"] or ()) > 1:
        raise click.UsageError("--labels names several label sets, and --out writes the predictions of one: name it")
    store = open_store(options["store"])
    if options["list_"]:
        _list(store, options["format"])
    elif options["show"] is not None:
        _write(store, _show(store, options["show"], options["format"]), out, options)
    else:
        _write(store, _select(store, options), out, options)


def _checked_out(name: str, *, lists: bool) -> "OutputFile":
    from engine.outputs.file import output_file

    if lists:
        raise click.UsageError("--out writes one selection: give its NAME, or --show NAME")
    out = output_file(name)
    if out.suffix not in ENDINGS:
        raise click.BadParameter(f"{out}: known endings are {' '.join(ENDINGS)}", param_hint="--out")
    out.check()
    return out


def _select(store: "Store", options: dict[str, Any]) -> "Selection":
    from store.errors import QueryError
    from store.gold.held import has_gold
    from store.selections.request import SelectionRequest
    from store.selections.select import select
    from store.sql.process import Limits, child_asker

    limits = Limits(timeout=options["timeout"], memory=options["memory"])
    try:
        request = SelectionRequest(**{one.name: options[one.name] for one in dataclasses.fields(SelectionRequest)})
    except QueryError as error:
        raise click.UsageError(str(error)) from None
    if options["out"] is not None and store.label_sets() and request.propose != "disagreement":
        store.one_label_set(next(iter(request.named), None))  # whose predictions are written; before anything is frozen
    selection = select(store, options["name"], request, ask=child_asker(options["store"], limits))
    card = selection.card
    summary = {"name": card.name, "selected": card.selected, "of": card.rows, "sha256": card.sha256[:16]}
    print_summary(summary, options["format"])
    if not card.selected:
        shown = f"engine remove {shlex.quote(options['store'])} selections/{card.name}"
        say(f"no row is selected, and {card.name} stays so: `{shown}` takes it away, and another name is free")
    if request.propose is not None and request.limit is not None and card.selected < request.limit:
        say(
            f"no more than these {card.selected:,} rows could be proposed: the others have gold, are copies, or "
            "have no label"
        )
    if request.propose == "random" and has_gold(store):
        say(
            "rows that have gold are left out: for an estimate of all rows, as of `engine audit STORE estimates`, draw "
            "from all, with --order-by 'hash(row)' in place of --propose"
        )
    return selection


def _write(store: "Store", selection: "Selection", out: "OutputFile | None", options: dict[str, Any]) -> None:
    """Write the file for annotators, where one is asked."""
    if out is None:
        return
    from store.selections.export import labelling_configuration, write_annotator_file
    from store.selections.export_rows import SelectedRows

    rows = SelectedRows(store, selection, labels=next(iter(options["labels"] or ()), None))
    if out.exists():
        _keep_work(rows, out, selection.card.name)
    with out.made() as path:
        write_annotator_file(rows, path, ending=out.suffix)
    say(f"wrote {out}: {len(rows):,} rows")
    way_back = f"`engine audit {shlex.quote(options['store'])} --gold FILE`"
    if out.suffix == ".json":
        say(f"Label Studio's configuration: {labelling_configuration(store.header.classes)}")
        note(f"{way_back} adds the labels of the file that it exports as a round of gold")
    else:
        classes = ", ".join(store.header.classes[:_MOST_CLASSES]) + ", …" * (len(store.header.classes) > _MOST_CLASSES)
        note(
            f"people add a column called label, with the class of each row ({classes}); {way_back} adds their labels "
            "as a round of gold"
        )


def _keep_work(rows: "SelectedRows", out: "OutputFile", name: str) -> None:
    """Refuse to replace a file that is not the one that would be written: annotators may have worked in it."""
    from store.selections.export import write_annotator_file

    with tempfile.TemporaryDirectory(prefix="engine-select-") as folder:
        again = Path(folder) / f"again{out.suffix}"
        write_annotator_file(rows, again)
        if not out.holds(again):
            raise click.ClickException(
                f"{out} is there already, and has something else in it, perhaps somebody's labels: it is left as it "
                f"is. The selection is kept: `engine select STORE --show {name} --out OTHER` writes it"
            )


def _list(store: "Store", format_: str | None) -> None:
    from store.selections.selection import changed_source, read_card, selections

    cards = (read_card(store, name) for name in selections(store))
    rows = [
        {
            "name": card.name,
            "selected": card.selected,
            "of": card.rows,
            "sql": card.sql,
            "proposed": None if card.proposed is None else card.proposed.method,
            "sources_ok": changed_source(store.as_of(card.rows), card.sources) is None,
        }
        for card in cards
    ]
    print_rows(rows, format_, columns=_LISTED)


def _show(store: "Store", name: str, format_: str | None) -> "Selection":
    from store.selections.selection import class_counts, read_selection

    selection = read_selection(store, name)
    note_appended(store, selection.rows.size, f"the selection {name!r}")
    card, counts = selection.card.value, class_counts(store, selection)
    if not shows_tables(format_):
        print_rows([{**card, "classes": counts}], format_)
        return selection
    print_summary(card, format_)
    if counts:
        print_rows(counts, format_)
    return selection
