"""One family of a store → everything that is wrong in it: its card, manifest, records and data files.

`store.verify.labels` adds the checks of a label set. Rounds of gold are checked by `store.verify.gold`.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property

from store.errors import DamageError
from store.families.registry import kind_of
from store.format.decode import decoded
from store.format.family import CARD, Family
from store.format.findings import Finding, Kind, Problem
from store.format.json_file import Value, copy_name, read_small, to_json
from store.format.record import Record, record_name, record_of
from store.format.record_files import MANIFEST
from store.snapshot import Snapshot
from store.verify.copies import check_twice
from store.verify.shard import check_shard

Check = Callable[[str], bool]
"""Called with the name of a data file before it is read; False passes over it."""


class FamilyCheck:
    """The checks of one family whose shards are those of the store's layout.

    Attributes:
        records: those that hold, by shard; known when `findings` has been exhausted.
    """

    def __init__(self, snapshot: Snapshot, family: Family) -> None:
        self.snapshot = snapshot
        self.family = family
        self.names = set(snapshot.storage.list(family.path))
        self.manifest: dict[int, Record] = {}
        self.records: dict[int, Record] = {}

    def findings(self, before: Check) -> Iterator[Finding]:
        """Everything that is wrong in the family."""
        if not self.names and kind_of(self.family.path).is_named:
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
        yield from self._check_side_files()
        yield from self._find_litter()

    def _found(self, kind: Kind, name: str, problem: str, shard: int | None = None) -> Finding:
        file = f"{self.family.path}/{name}"
        return Finding(kind=kind, family=self.family.path, shard=shard, file=file, problem=problem)

    @cached_property
    def _manifest(self) -> tuple[Value | None, str]:
        return read_small(self.snapshot.storage, f"{self.family.path}/{MANIFEST}")

    @cached_property
    def _cards(self) -> list[Value]:
        """The card and its copy, if they can be read; if the manifest knows only one of the two, that one."""
        both = (read_small(self.snapshot.storage, f"{self.family.path}/{name}")[0] for name in (CARD, copy_name(CARD)))
        cards = [value for value in both if value is not None]
        sealed_with = (self._manifest[0] or {}).get("card_sha256")
        return [card for card in cards if _sha256(card) == sealed_with] or cards

    def _is_right_card(self, value: Value) -> bool:
        return value in self._cards

    @property
    def _card(self) -> Value:
        """Empty if neither the card nor its copy can be read."""
        return self._cards[0] if self._cards else {}

    def _check_card(self) -> Iterator[Finding]:
        """The card against the header and other families."""
        yield from ()

    def _shard_problem(self, record: Record) -> Problem | None:
        """The problem of a data file."""
        return check_shard(self.snapshot, self.family, record)

    def _check_side_files(self) -> Iterator[Finding]:
        """The files beside the shards that belong to families of this kind."""
        yield from ()

    def _is_side_file(self, name: str) -> bool:  # noqa: ARG002 - of most kinds no file is
        """Whether ``name`` is one that `_check_side_files` checks."""
        return False

    def _check_manifest(self) -> Iterator[Finding]:
        if MANIFEST not in self.names:
            return
        value, problem = self._manifest
        try:
            listed = self.family.record_files.listed() if value is not None else []
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
        """Each record file by itself, against its name, the header and the manifest; finds `records`."""
        numbers = sorted((number, name) for name in self.names if (number := record_of(name)) is not None)
        whole: dict[int, list[Record]] = {}
        yield from self._read_records(numbers, whole)
        yield from self._find_gaps([number for number, _ in numbers])
        yield from self._check_listed(whole)
        spoken_for = {shard: [listed] for shard, listed in self.manifest.items() if not self._misfit(listed, shard)}
        held = {**spoken_for, **whole}
        self.records = {shard: held[shard][-1] for shard in sorted(held)}
        yield from self._find_lost()

    def _read_records(
        self, numbers: list[tuple[tuple[int, int], str]], whole: dict[int, list[Record]]
    ) -> Iterator[Finding]:
        """Damaged record files; those that are not come into ``whole``, by shard, the last generation last."""
        for (shard, _), name in numbers:
            record, problem = self._record(name, shard)
            if record is None:
                yield self._found(Kind.DAMAGED, name, problem, shard)
            else:
                whole.setdefault(shard, []).append(record)

    def _check_listed(self, whole: dict[int, list[Record]]) -> Iterator[Finding]:
        """Records in the manifest that have no file, or one that says otherwise."""
        for shard, listed in self.manifest.items():
            if record_name(shard) not in self.names:
                yield self._found(Kind.MISSING, record_name(shard), "is missing, and the manifest lists it", shard)
            elif shard in whole and listed not in whole[shard]:
                yield self._found(Kind.MISMATCH, record_name(shard), "is not what the manifest lists", shard)

    def _find_lost(self) -> Iterator[Finding]:
        """Of a family whose manifest is damaged: record files that must have been there when it was sealed."""
        if MANIFEST not in self.names or self.manifest:
            return
        for shard in range(self.family.shards):
            if record_name(shard) not in self.names and shard not in self.records:
                yield self._found(Kind.MISSING, record_name(shard), "is missing, and the family was sealed", shard)

    def _find_gaps(self, numbers: list[tuple[int, int]]) -> Iterator[Finding]:
        """A generation is made only if those before it are there."""
        there = set(numbers)
        for shard, last in numbers:
            for generation in range(last):
                # The first one of a sealed family is looked for by the manifest.
                if (shard, generation) not in there and (generation or not self.manifest):
                    name = record_name(shard, generation)
                    yield self._found(Kind.MISSING, name, "is missing, and a later generation is there", shard)

    def _record(self, name: str, shard: int) -> tuple[Record | None, str]:
        """The record called ``name``, or None and its problem."""
        value, problem = read_small(self.snapshot.storage, f"{self.family.path}/{name}")
        if value is None:
            return None, problem
        try:
            record = decoded(Record, value)
        except ValueError as error:
            return None, f"is not a record: {error}"
        problem = self._misfit(record, shard)
        return (None, problem) if problem else (record, "")

    def _misfit(self, record: Record, shard: int) -> str:
        """Why ``record`` cannot be that of ``shard``; empty if it can."""
        if record.shard != shard or not 0 <= shard < self.family.shards:
            return f"is the record of shard {record.shard}"
        first, stop = self.snapshot.layout.range_of(shard)
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
        if before(f"{self.family.path}/{record.file}") and (problem := self._shard_problem(record)) is not None:
            yield self._found(problem.kind, record.file, problem.text, record.shard)

    def _find_litter(self) -> Iterator[Finding]:
        known = {CARD, copy_name(CARD), MANIFEST, *(record.file for record in self.records.values())}
        for name in sorted(self.names - known):
            if record_of(name) is None and not self._is_side_file(name):
                yield self._found(Kind.LITTER, name, "no record that holds names it")


def _sha256(card: Value) -> str:
    return hashlib.sha256(to_json(card)).hexdigest()
