"""A store → its contents at one moment: what a copy of it has to have. Reads small files, no data file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from store.errors import DamageError
from store.families.label_card import label_card
from store.families.learned_texts import LEARNED_TEXTS
from store.format.family import Family
from store.format.json_file import frozen
from store.format.names import LABELS, TOKENS
from store.format.record import Record
from store.gold.calibration import calibration_name, numbers_begun
from store.selections.card import SELECTIONS, Card
from store.selections.selection import changed_source, read_card, selections
from store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file with the hash that its record, card or header says.

    Attributes:
        name: from the root of the store.
        bytes: its size.
        sha256: hexadecimal.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class FamilyContents:
    """A family.

    Attributes:
        family: where it is.
        card: None if it has none.
        records: those that hold, by shard.
        side_files: the values of its calibrations, and of the texts that its teacher learned, by file name.
    """

    family: Family
    card: dict[str, Any] | None
    records: dict[int, Record]
    side_files: dict[str, dict[str, Any]]


@dataclass(kw_only=True)
class Contents:
    """What is copied, as it was when it was read.

    Attributes:
        source: the store.
        families: with their card, records and side files, in the order in which they are committed.
        cards: of the selections.
        notes: what is left out, a sentence each.
    """

    source: Snapshot
    families: list[FamilyContents] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[DataFile]:
        """All data files."""
        found = [
            DataFile(name=segment.rejects_file, bytes=segment.rejects["bytes"], sha256=segment.rejects["sha256"])
            for segment in self.source.header.segments
        ]
        for one in self.families:
            found += [_data_file(one.family.path, record) for record in one.records.values()]
        return found + [_data_file(SELECTIONS, card) for card in self.cards]

    def check_there(self) -> None:
        """Refuse what is there no more.

        Raises:
            StoreMissingError: a label set, an encoding or a selection was removed meanwhile.
        """
        for one in self.families:
            one.family.check_there()
        for card in self.cards:
            read_card(self.source, card.name)


def read_contents(source: Snapshot, labels: Sequence[str]) -> Contents:
    """The contents of ``source``: first what is made from something else, then that.

    Raises:
        DamageError: a small file is damaged.
        StoreMissingError: a label set was removed meanwhile.
    """
    snapshot = Snapshot(source.storage, source.header)
    contents = Contents(source=snapshot)
    cards = [read_card(snapshot, name) for name in selections(snapshot)]
    chosen = [family for family in snapshot.families() if _is_chosen(snapshot, family, labels)]
    left = [family.path for family in snapshot.families() if family.path not in {one.path for one in chosen}]
    contents.notes += [f"{path} is left out: it is none of --labels, or of one that is" for path in left]
    contents.families = [_read_family(family) for family in reversed(chosen)][::-1]
    there = {one.family.path for one in contents.families}
    for card in cards:
        if card.sources.keys() <= there and changed_source(snapshot.as_of(card.rows), card.sources) is None:
            contents.cards.append(card)
        else:
            contents.notes.append(
                f"selections/{card.name} is left out: what it was made from has changed or is left out"
            )
    return contents


def _is_chosen(snapshot: Snapshot, family: Family, labels: Sequence[str]) -> bool:
    kind = family.path.partition("/")[0]
    if not labels or kind not in (LABELS, TOKENS):
        return True
    if kind == LABELS:
        return family.name in labels
    cards = [label_card(snapshot.label_set(name)) for name in labels]
    return family.name in [card.encoding for card in cards if card is not None]


def _read_family(family: Family) -> FamilyContents:
    path, storage = family.path, family.storage
    side_files = {}
    if path.startswith(f"{LABELS}/"):
        for name in (LEARNED_TEXTS, *map(calibration_name, numbers_begun(storage, path))):
            if (value := frozen(storage, f"{path}/{name}")) is not None:
                side_files[name] = value
    card, records = family.card(), family.records()
    if card is None and family.has_card and records:
        raise DamageError(f"{family.location}: its card is missing; `engine verify STORE --repair` says more")
    family.check_there()
    return FamilyContents(family=family, card=card, records=records, side_files=side_files)


def _data_file(folder: str, record: Record | Card) -> DataFile:
    return DataFile(name=f"{folder}/{record.file}", bytes=record.bytes, sha256=record.sha256)
