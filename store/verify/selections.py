"""The selections of a store → everything that is wrong with them; and a card → restored from its copy."""

from collections.abc import Callable, Iterator
from functools import partial

from store.errors import DamageError, StoreError
from store.format.findings import Finding, Kind
from store.format.json_file import Value, copy_name, read_small, to_json
from store.selections.card import (
    SELECTIONS,
    Card,
    begun_selections,
    card_name,
    card_there,
    parse_card,
    selection_of_bits,
)
from store.selections.selection import changed_source, check_bits, way_to_bits
from store.snapshot import Snapshot
from store.verify.copies import check_twice


def check_selections(snapshot: Snapshot, before: Callable[[str], bool]) -> Iterator[Finding]:
    """Everything that is wrong with the selections: cards and copies, bits, sources and litter.

    Args:
        snapshot: the store.
        before: told of each file of bits before it is read; False passes over it.
    """
    known = set()
    for name in begun_selections(snapshot.storage):
        known |= {card_name(name), copy_name(card_name(name))}
        yield from check_twice(snapshot.storage, f"{name}.json", SELECTIONS, partial(_is_card, snapshot, name))
        if (card := _whole_card(snapshot, name)) is not None:
            known.add(f"{SELECTIONS}/{card.file}")
            yield from _check_bits(snapshot, card, before)
            yield from _check_sources(snapshot, card)
    for file in (f"{SELECTIONS}/{name}" for name in snapshot.storage.list(SELECTIONS)):
        if file not in known:
            yield _found(Kind.LITTER, file, "no card of a selection names it")


def _is_card(snapshot: Snapshot, name: str, value: Value) -> bool:
    try:
        parse_card(snapshot, name, value)
    except DamageError:
        return False
    return True


def _whole_card(snapshot: Snapshot, name: str) -> Card | None:
    """The card, or else its copy; None if neither is right."""
    for file in (card_name(name), copy_name(card_name(name))):
        value, _ = read_small(snapshot.storage, file)
        if value is not None and _is_card(snapshot, name, value):
            return parse_card(snapshot, name, value)
    return None


def _check_bits(snapshot: Snapshot, card: Card, before: Callable[[str], bool]) -> Iterator[Finding]:
    file = f"{SELECTIONS}/{card.file}"
    if before(file) and (problem := check_bits(snapshot, card)) is not None:
        yield _found(problem.kind, file, f"{problem.text}; no other file has these rows: {way_to_bits(snapshot, card)}")


def _check_sources(snapshot: Snapshot, card: Card) -> Iterator[Finding]:
    try:
        change = changed_source(snapshot.as_of(card.rows), card.sources)
    except (DamageError, OSError):
        return  # the check of that family says so
    if change is not None:
        problem = f"{change}; select again under another name, and delete this one's files"
        yield _found(Kind.MISMATCH, card_name(card.name), problem)


def _found(kind: Kind, file: str, problem: str) -> Finding:
    return Finding(kind=kind, family=SELECTIONS, shard=None, file=file, problem=problem)


def restore_card(snapshot: Snapshot, file: str) -> bool:
    """Restore a card from its copy, or the copy from the card; False if both are whole, or neither is."""
    for name in begun_selections(snapshot.storage):
        main, copy = card_name(name), copy_name(card_name(name))
        if file not in (main, copy):
            continue
        held, _ = read_small(snapshot.storage, file)
        value, _ = read_small(snapshot.storage, copy if file == main else main)
        if value is None or held == value or not _is_card(snapshot, name, value):
            return False
        snapshot.storage.put(file, to_json(value))
        return True
    return False


def may_be_needed(snapshot: Snapshot, file: str) -> bool:
    """Whether a file that no card named is none to remove: only bits beside another card of their name are."""
    name = selection_of_bits(file.removeprefix(f"{SELECTIONS}/"))
    try:
        card = card_there(snapshot, name) if name is not None else None
    except StoreError:
        return True
    return card is None or file == f"{SELECTIONS}/{card.file}"
