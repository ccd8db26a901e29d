"""Whether rows are marked as near-duplicates: what is asked, what a store was made with, and what is frozen of it."""

import logging
from collections.abc import Iterable

from engine.errors import InputError
from engine.inputs.messages import listed
from store.errors import MismatchError
from store.format.segments import MARKS, InputEntry
from store.snapshot import Snapshot

MARKING = "--mark-near-duplicates"
_log = logging.getLogger(__name__)


def with_marks(extras: dict[str, str], inputs: Iterable[InputEntry], threshold: float | None) -> dict[str, str]:
    """Kept columns, with those of marks if rows are marked.

    Args:
        extras: those of the inputs: name → Arrow type in words.
        inputs: their entries, which then say from what similarity rows are marked.
        threshold: that similarity; None if rows are not marked.

    Raises:
        InputError: an input has a column of such a name.
    """
    if threshold is None:
        return extras
    inputs = list(inputs)
    if taken := [name for name in extras if name.lower() in MARKS]:
        raise InputError(
            f"{listed(entry['path'] for entry in inputs)}: the column {taken[0]!r} has the name of one that {MARKING} "
            "makes; rename it, or leave it out"
        )
    for entry in inputs:
        entry["near_duplicates"] = threshold
    return extras | MARKS


def marking_of(store: Snapshot, asked: float | None) -> float | None:
    """From what similarity rows that are appended are marked: as those before them are, else as is asked.

    Raises:
        MismatchError: those before them are marked from another one, or the store keeps a column of such a name.
    """
    held = store.header.near_duplicates
    if held is not None:
        check_marking(store, asked)
    elif asked is not None:
        if taken := [name for name in store.header.kept if name.lower() in MARKS]:
            raise MismatchError(
                f"{store.location} keeps a column {taken[0]!r} of its inputs, which is the name of one that {MARKING} "
                "makes; leave it out: `engine audit` finds near-duplicates without marks"
            )
        rows = f"{store.layout.rows:,}"
        _log.info("the %s rows before have no marks of near-duplicates; new rows are compared with them, too", rows)
    return asked if held is None else held


def check_marking(store: Snapshot, asked: float | None) -> None:
    """Refuse another similarity than that from which the rows of a store are marked.

    Raises:
        MismatchError: it is another one.
    """
    held = store.header.near_duplicates
    if asked is None or asked == held:
        return
    if held is None:
        raise MismatchError(
            f"{store.location} was made without {MARKING}, and its texts never change: `engine audit {store.location} "
            "near-duplicates` finds them; only rows that are appended can be marked, or those of a new store"
        )
    raise MismatchError(
        f"{store.location} has marks of near-duplicates from {held:g} on, and {MARKING} is {asked:g}; leave it out, or "
        "label into a new store"
    )
