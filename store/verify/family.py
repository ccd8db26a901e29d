"""One family of a store → everything that is wrong in it: its card, manifest, records and data files.

Rounds of gold are checked by `store.verify.gold`.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property

from store.errors import DamageError
from store.families.label_card import LabelCard, parse_label_card
from store.format.family import CARD, MANIFEST, Family
from store.format.findings import Finding, Kind
from store.format.json_file import Value, copy_name, read_small, to_json
from store.format.names import CORPUS, LABELS, TOKENS
from store.format.record import Record, record_name, record_of
from store.gold.calibration import calibration_of
from store.snapshot import Snapshot
from store.verify.calibrations import check_calibrations
from store.verify.copies import check_twice
from store.verify.shard import check_alignment, check_shard

Check = Callable[[str], bool]
"""Called with the name of a data file before it is read; False passes over it."""


class FamilyCheck:
    """The checks of one family, which know what it has.

    Attributes:
        records: what is committed, by shard; known when `findings` has been exhausted.
    """

    def __init__(self, snapshot: Snapshot, family: Family) -> None:
        self.snapshot = snapshot
        self.family = family
        self.names = set(snapshot.storage.list(family.path))
        self.manifest: dict[int, Record] = {}
        self.records: dict[int, Record] = {}
        self._label_card = LabelCard()

    def findings(self, before: Check) -> Iterator[Finding]:
        """Everything that is wrong in the family."""
        if not self.names and self.family.path != CORPUS:
            return
        yield from check_twice(self.snapshot.storage, CARD, self.family.path, self._is_right_card)
        if self.family.has_card and not {CARD, copy_name(CARD)} & self.names:
            yield self._found(Kind.MISSING, CARD, "is missing, and so is its copy")
        yield from self._check_card()
        yield from self._check_manifest()
        yield from self._check_records()
        yield from self._check_complete()
        for record in self.records.values():
            yield from self._check_data(record, before)
        if self.family.path.startswith(f"{LABELS}/"):
            yield from check_calibrations(self.snapshot, self.family.path)
        yield from self._find_litter()

    def _found(self, kind: Kind, name: str, problem: str, shard: int | None = None) -> Finding:
        file = f"{self.family.path}/{name}"
        return Finding(kind=kind, family=self.family.path, shard=shard, file=file, problem=problem)

    @cached_property
    def _manifest(self) -> tuple[Value | None, str]:
        return read_small(self.snapshot.storage, f"{self.family.path}/{MANIFEST}")

    @cached_property
    def _cards(self) -> list[Value]:
        """The card and its copy, those that can be read; where the manifest knows one of two, that one."""
        both = (read_small(self.snapshot.storage, f"{self.family.path}/{name}")[0] for name in (CARD, copy_name(CARD)))
        cards = [value for value in both if value is not None]
        sealed_with = (self._manifest[0] or {}).get("card_sha256")
        return [card for card in cards if _sha256(card) == sealed_with] or cards

    def _is_right_card(self, value: Value) -> bool:
        return value in self._cards

    @property
    def _card(self) -> Value:
        """Empty where neither the card nor its copy can be read."""
        return self._cards[0] if self._cards else {}

    def _check_card(self) -> Iterator[Finding]:
        """A label set's classes are the store's, and its encoding is that of the tokens that are kept."""
        if not self.family.path.startswith(f"{LABELS}/"):
            return
        try:
            self._label_card = card = parse_label_card(self._card, place=CARD)
        except DamageError as error:
            yield self._found(Kind.DAMAGED, CARD, str(error))
            return
        if card.classes is not None and sorted(card.classes) != sorted(self.snapshot.header.classes):
            yield self._found(Kind.MISMATCH, CARD, f"has the classes {', '.join(card.classes)}")
        tokens, _ = read_small(self.snapshot.storage, f"{TOKENS}/{card.encoding}/{CARD}")
        if tokens is not None and tokens.get("encoding_sha256") != card.encoding_sha256:
            yield self._found(Kind.MISMATCH, CARD, f"has another fingerprint than {TOKENS}/{card.encoding}/{CARD}")

    def _check_manifest(self) -> Iterator[Finding]:
        if MANIFEST not in self.names:
            return
        value, problem = self._manifest
        try:
            listed = self.family.listed() if value is not None else []
        except DamageError as error:
            value, problem = None, str(error)
        if value is None:
            yield self._found(Kind.DAMAGED, MANIFEST, problem)
            return
        card = self._card
        if bool(card) == self.family.has_card and value.get("card_sha256") != (_sha256(card) if card else None):
            yield self._found(Kind.MISMATCH, MANIFEST, "was sealed with another card")
        self.manifest = {record.shard: record for record in listed}
        if sorted(self.manifest) != list(range(self.family.shards)):
            yield self._found(Kind.MISMATCH, MANIFEST, f"does not list the shards 0 to {self.family.shards - 1}")

    def _check_records(self) -> Iterator[Finding]:
        """Each record file by itself, against its name, the header and the manifest."""
        found: dict[int, list[Record]] = {}
        numbers = sorted((number, name) for name in self.names if (number := record_of(name)) is not None)
        for (shard, _), name in numbers:
            record, problem = self._record(name, shard)
            if record is None:
                yield self._found(Kind.DAMAGED, name, problem, shard)
            else:
                found.setdefault(shard, []).append(record)
        yield from self._find_gaps([number for number, _ in numbers])
        for shard, listed in self.manifest.items():
            if record_name(shard) not in self.names:
                yield self._found(Kind.MISSING, record_name(shard), "is missing, and the manifest lists it", shard)
            elif found.get(shard) and listed not in found[shard]:
                yield self._found(Kind.MISMATCH, record_name(shard), "is not what the manifest lists", shard)
            if shard not in found and not self._misfit(listed, shard):
                found[shard] = [listed]
        self.records = {shard: found[shard][-1] for shard in sorted(found)}
        if MANIFEST in self.names and not self.manifest:
            for shard in range(self.family.shards):
                if record_name(shard) not in self.names and shard not in found:
                    yield self._found(Kind.MISSING, record_name(shard), "is missing, and the family was sealed", shard)

    def _find_gaps(self, numbers: list[tuple[int, int]]) -> Iterator[Finding]:
        """A generation is made only where those before it are there."""
        there = set(numbers)
        for shard, last in numbers:
            for generation in range(last):
                # The first one of a sealed family is looked for by the manifest.
                if (shard, generation) not in there and (generation or not self.manifest):
                    name = record_name(shard, generation)
                    yield self._found(Kind.MISSING, name, "is missing, and a later generation is there", shard)

    def _record(self, name: str, shard: int) -> tuple[Record | None, str]:
        """The record called ``name``, or None and what is wrong with it."""
        value, problem = read_small(self.snapshot.storage, f"{self.family.path}/{name}")
        if value is None:
            return None, problem
        try:
            record = Record(**value)
        except TypeError as error:
            return None, f"is not a record: {error}"
        problem = self._misfit(record, shard)
        return (None, problem) if problem else (record, "")

    def _misfit(self, record: Record, shard: int) -> str:
        """Why ``record`` cannot be that of ``shard``; empty where it can."""
        if record.shard != shard or not 0 <= shard < self.family.shards:
            return f"is the record of shard {record.shard}"
        first, stop = self.snapshot.shard_range(shard)
        if (record.first_row, record.rows) != (first, stop - first):
            return f"says rows {record.first_row} to {record.first_row + record.rows - 1}, not {first} to {stop - 1}"
        return ""

    def _check_complete(self) -> Iterator[Finding]:
        missing = self.family.shards - len(self.records)
        if missing and not self.manifest:
            problem = f"{missing:,} of {self.family.shards:,} shards are not committed"
            yield self._found(Kind.UNFINISHED, "", problem)
        elif MANIFEST not in self.names:
            yield self._found(Kind.UNFINISHED, MANIFEST, "every shard is committed, and the family is not sealed")

    def _check_data(self, record: Record, before: Check) -> Iterator[Finding]:
        if not before(f"{self.family.path}/{record.file}"):
            return
        problem = check_shard(self.snapshot, self.family, record)
        if problem is None and self.family.path.startswith(f"{LABELS}/"):
            problem = check_alignment(self.snapshot, self.family, record, self._label_card)
        if problem is not None:
            yield self._found(problem.kind, record.file, problem.text, record.shard)

    def _find_litter(self) -> Iterator[Finding]:
        known = {CARD, copy_name(CARD), MANIFEST, *(record.file for record in self.records.values())}
        for name in sorted(self.names - known):
            if record_of(name) is None and calibration_of(name) is None:
                yield self._found(Kind.LITTER, name, "no record that holds names it")


def _sha256(card: Value) -> str:
    return hashlib.sha256(to_json(card)).hexdigest()
