"""Selections: sets of rows that are frozen under a name, with their SQL and the hashes of their sources.

A selection is a file of bits, one a row, and a card. It holds as long as every family that it was made from is as it
was. No SQL is run here: `store.selections.select` does that, and the stream obeys what is read here.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from store.errors import DamageError, MismatchError, StoreExistsError, StoreMissingError
from store.format.findings import Kind, Problem
from store.format.json_file import copy_name, freeze, is_there
from store.format.names import LABELS
from store.format.shard import check_bytes
from store.gold.fingerprint import appended_since, fingerprint
from store.rows.family_reader import failed_rows
from store.rows.row_set import RowSet
from store.selections.card import (
    SELECTIONS,
    Card,
    Origin,
    begun_selections,
    bits_name,
    card_name,
    card_there,
    parse_card,
    select_command,
)
from store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Selection(Origin):
    """A set of rows and how it came about: see `store.selections.card.Origin`.

    Attributes:
        rows: which rows are in it, of those that the store had when it was made.
    """

    rows: RowSet

    @property
    def bits(self) -> bytes:
        """(⌈size / 64⌉ · 8,) the words of ``rows``, little-endian: row r is bit r % 8 of byte r // 8."""
        return self.rows.words.astype("<u8").tobytes()

    @property
    def card(self) -> Card:
        """What its card says, where nobody was first."""
        bits = self.bits
        sha256 = hashlib.sha256(bits).hexdigest()
        file, size, selected = bits_name(self.name, sha256), self.rows.size, len(self.rows)
        return Card(rows=size, selected=selected, file=file, bytes=len(bits), sha256=sha256, **self.origin)


def selections(snapshot: Snapshot) -> list[str]:
    """Names of the frozen selections, sorted."""
    cards = {name: card_name(name) for name in begun_selections(snapshot.storage)}
    return [
        name
        for name, card in cards.items()
        if any(is_there(snapshot.storage, file) for file in (card, copy_name(card)))
    ]


def freeze_selection(snapshot: Snapshot, selection: Selection) -> Selection:
    """Freeze ``selection`` under its name, once, for good; the one that holds, which has the same rows.

    Raises:
        InvalidNameError: it cannot be called so.
        StoreExistsError: there is one of that name with other rows.
        MismatchError: there is one of that name with these rows, and one of its sources has changed.
    """
    card = selection.card
    held = card_there(snapshot, card.name) or card
    if (held.sha256, held.rows) == (card.sha256, card.rows):
        held = parse_card(snapshot, card.name, _publish(snapshot, selection))
    if (held.sha256, held.rows) != (card.sha256, card.rows):
        since = appended_since(snapshot, held.rows)
        when = f", made before {since}" if since else ""
        raise StoreExistsError(
            f"{snapshot.location} has a selection {card.name!r} of {held.selected:,} rows{when}, and this one has "
            f"{card.selected:,} rows and is another; use another name"
        )
    return read_selection(snapshot, card.name)


def _publish(snapshot: Snapshot, selection: Selection) -> dict[str, Any]:
    """Write the bits, also over damaged ones, and freeze the card; the card that holds."""
    card, staged = selection.card, snapshot.storage.stage()
    try:
        staged.write(selection.bits)
        with snapshot.storage.kept(SELECTIONS):
            staged.publish(f"{SELECTIONS}/{card.file}")
            return freeze(snapshot.storage, card_name(card.name), card.value)
    finally:
        staged.discard()


def read_selection(snapshot: Snapshot, name: str) -> Selection:
    """The selection ``name``.

    Raises:
        StoreMissingError: there is none.
        DamageError: its card or its bits are damaged.
        MismatchError: a family that it was made from has changed, but for rows that were appended.
    """
    card = read_card(snapshot, name)
    if (problem := check_bits(snapshot, card)) is not None:
        read_card(snapshot, name)  # unless it has been removed since
        raise DamageError(f"{snapshot.location}/{SELECTIONS}/{card.file} {problem.text}; {way_to_bits(snapshot, card)}")
    if (change := changed_source(snapshot.as_of(card.rows), card.sources)) is not None:
        way = f"select again under another name: `{select_command(snapshot.location, card, name=f'{name}-2')}`"
        raise MismatchError(f"the selection {name!r} of {snapshot.location} {change}; {way}")
    return Selection(rows=rows_of_card(snapshot, card), **card.origin)


def way_to_bits(snapshot: Snapshot, card: Card) -> str:
    """How the bits of ``card``, which are lost, are had again."""
    return f"`{select_command(snapshot.location, card)}` writes it again"


def read_card(snapshot: Snapshot, name: str) -> Card:
    """The card of the selection ``name``, whatever has become of its bits and sources.

    Raises:
        StoreMissingError: there is none.
        DamageError: it is damaged, or that of another selection or store.
    """
    card = card_there(snapshot, name)
    if card is None:
        there = ", ".join(selections(snapshot)) or "none"
        raise StoreMissingError(f"{snapshot.location} has no selection {name!r}; it has: {there}")
    return card


def check_bits(snapshot: Snapshot, card: Card) -> Problem | None:
    """The problem of a selection's file of bits, in its size, hash or contents; None if there is none."""
    problem = check_bytes(snapshot.storage, f"{SELECTIONS}/{card.file}", size=card.bytes, sha256=card.sha256)
    if problem is not None:
        return problem
    rows = rows_of_card(snapshot, card)
    if len(rows) == card.selected and (rows & RowSet.every(card.rows)) == rows:
        return None
    return Problem(Kind.DAMAGED, f"holds {len(rows):,} of {card.rows:,} rows, and its card says {card.selected:,}")


def rows_of_card(snapshot: Snapshot, card: Card) -> RowSet:
    """The rows in the file of bits of ``card``, unchecked."""
    words = np.frombuffer(snapshot.storage.read(f"{SELECTIONS}/{card.file}"), "<u8").astype(np.uint64)
    return RowSet(size=card.rows, words=words)


def changed_source(snapshot: Snapshot, sources: dict[str, str]) -> str | None:
    """Which family is not as it was when ``sources`` were taken, in words; None if all are."""
    for path, then in sources.items():
        try:
            now = fingerprint(snapshot, path)
        except StoreMissingError as error:
            return f"was made from {path}, and {error}"
        if now != then:
            return f"was made from {path} when its fingerprint was {then[:16]}, and it is {now[:16]} now"
    return None


def class_counts(snapshot: Snapshot, selection: Selection) -> list[dict[str, Any]]:
    """How many of the selected rows its label set gives to each class, and to none, where labelling failed.

    Returns:
        A dict of ``class`` and ``selected`` a class, in the store's order; empty if it has no label set.
    """
    if selection.labels is None:
        return []
    classes = snapshot.header.classes
    counts, rows = np.zeros(len(classes) + 1, np.int64), selection.rows.of_size(snapshot.layout.rows)
    labels = snapshot.dataset(f"{LABELS}/{selection.labels}")
    for batch in labels.to_batches(columns=["row", "prediction"]):
        predictions = batch.column("prediction").fill_null(len(classes)).to_numpy()
        chosen = predictions[rows.has(batch.column("row").to_numpy())]
        counts += np.bincount(chosen, minlength=len(classes) + 1)
    snapshot.label_set(selection.labels).check_there()
    named = zip([*classes, None], counts.tolist(), strict=True)
    return [{"class": name, "selected": count} for name, count in named if name is not None or count]


def chosen_rows(snapshot: Snapshot, *, labels: Iterable[str] = (), select: str | None = None) -> RowSet | None:
    """The rows that a selection has and that all of some label sets have logits for; None for all rows.

    Raises:
        StoreMissingError: there is no such selection or label set.
        MismatchError: the labels that the selection was made from have changed.
    """
    chosen = None if select is None else read_selection(snapshot, select).rows.of_size(snapshot.layout.rows)
    for name in labels:
        failed = failed_rows(snapshot, name)
        if len(failed):
            labelled = ~RowSet.of(failed, size=snapshot.layout.rows)
            chosen = labelled if chosen is None else chosen & labelled
    return chosen
