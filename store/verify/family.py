"""One family of a store → everything that is wrong in it: its card, manifest, records and data files.

`store.verify.labels` adds the checks of a label set. Rounds of gold are checked by `store.verify.gold`.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property

from store.errors import DamageError, StoreError
from store.families.registry import kind_of
from store.format.decode import decoded
from store.format.family import Family
from store.format.findings import Finding, Kind, Problem
from store.format.header import read_header
from store.format.json_file import Value, copy_name, read_small, to_json
from store.format.layout import Layout
from store.format.names import CARD
from store.format.record import Record, record_name, record_of, shard_of_data
from store.format.record_files import manifest_name, segment_of_manifest
from store.format.segments import GUARD
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
        self.names = self._names()
        self.listed: dict[int, Record] = {}
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

    def _names(self) -> set[str]:
        """The files of the family, without those of rows that others appended after the snapshot was taken."""
        path = self.family.path
        names = {name for name in self.snapshot.storage.list(path) if f"{path}/{name}" != GUARD}
        layout = self.snapshot.layout
        if not any(_is_behind(name, layout) for name in names):
            return names
        try:
            now = read_header(self.snapshot.storage).layout
        except StoreError:
            return names
        return {name for name in names if not _is_behind(name, layout) or _is_behind(name, now)}

    def _found(self, kind: Kind, name: str, problem: str, shard: int | None = None) -> Finding:
        file = f"{self.family.path}/{name}"
        return Finding(kind=kind, family=self.family.path, shard=shard, file=file, problem=problem)

    @cached_property
    def _manifests(self) -> dict[int, tuple[Value | None, str]]:
        """What each manifest that is there says, or what is wrong with it, by segment."""
        numbers = [number for number in range(len(self.family.segments)) if manifest_name(number) in self.names]
        place = self.family.path
        return {number: read_small(self.snapshot.storage, f"{place}/{manifest_name(number)}") for number in numbers}

    @cached_property
    def _spoken_for(self) -> set[int]:
        """The segments whose manifest lists their shards."""
        return {self.snapshot.layout.segment_of(shard) for shard in self.listed if 0 <= shard < self.family.shards}

    def _is_listed(self, shard: int) -> bool:
        """Whether a manifest speaks for the segment of ``shard``."""
        return 0 <= shard < self.family.shards and self.snapshot.layout.segment_of(shard) in self._spoken_for

    @cached_property
    def _cards(self) -> list[Value]:
        """The card and its copy, if they can be read; if a manifest knows only one of the two, that one."""
        both = (read_small(self.snapshot.storage, f"{self.family.path}/{name}")[0] for name in (CARD, copy_name(CARD)))
        cards = [value for value in both if value is not None]
        sealed_with = {(value or {}).get("card_sha256") for value, _ in self._manifests.values()}
        return [card for card in cards if _sha256(card) in sealed_with] or cards

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
        """Each manifest that is there; finds `listed`."""
        for number, (value, problem) in self._manifests.items():
            yield from self._check_one_manifest(number, value, problem)

    def _check_one_manifest(self, number: int, value: Value | None, problem: str) -> Iterator[Finding]:
        name, shards = manifest_name(number), self.family.segments[number]
        try:
            listed = self.family.record_files.listed(number) if value is not None else []
        except DamageError as error:
            value, problem = None, str(error)
        if value is None:
            yield self._found(Kind.DAMAGED, name, problem)
            return
        card = self._card
        if bool(card) == self.family.has_card and value.get("card_sha256") != (_sha256(card) if card else None):
            yield self._found(Kind.MISMATCH, name, "was sealed with another card")
        self.listed |= {record.shard: record for record in listed}
        if sorted(record.shard for record in listed) != list(shards):
            yield self._found(Kind.MISMATCH, name, f"does not list the shards {shards.start} to {shards.stop - 1}")

    def _check_records(self) -> Iterator[Finding]:
        """Each record file by itself, against its name, the header and the manifest; finds `records`."""
        numbers = sorted((number, name) for name in self.names if (number := record_of(name)) is not None)
        whole: dict[int, list[Record]] = {}
        yield from self._read_records(numbers, whole)
        yield from self._find_gaps([number for number, _ in numbers])
        yield from self._check_listed(whole)
        listed = {shard: [record] for shard, record in self.listed.items() if not self._misfit(record, shard)}
        held = {**listed, **whole}
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
        """Records in a manifest that have no file, or one that says otherwise."""
        for shard, listed in self.listed.items():
            if record_name(shard) not in self.names:
                yield self._found(Kind.MISSING, record_name(shard), "is missing, and the manifest lists it", shard)
            elif shard in whole and listed not in whole[shard]:
                yield self._found(Kind.MISMATCH, record_name(shard), "is not what the manifest lists", shard)

    def _find_lost(self) -> Iterator[Finding]:
        """Of segments whose manifest is damaged: record files that must have been there when they were sealed."""
        for number in self._manifests.keys() - self._spoken_for:
            for shard in self.family.segments[number]:
                if record_name(shard) not in self.names and shard not in self.records:
                    yield self._found(Kind.MISSING, record_name(shard), "is missing, and the family was sealed", shard)

    def _find_gaps(self, numbers: list[tuple[int, int]]) -> Iterator[Finding]:
        """A generation is made only if those before it are there."""
        there = set(numbers)
        for shard, last in numbers:
            for generation in range(last):
                # The first one of a sealed family is looked for by the manifest.
                if (shard, generation) not in there and (generation or not self._is_listed(shard)):
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
        missing = [shard for shard in range(self.family.shards) if shard not in self.records]
        if missing and not all(map(self._is_listed, missing)):
            problem = f"{len(missing):,} of {self.family.shards:,} shards are not committed"
            yield self._found(Kind.UNFINISHED, "", problem)
        for number, shards in enumerate(self.family.segments):
            if number not in self._manifests and self.records.keys() >= set(shards):
                problem = "every shard is committed, and the family is not sealed"
                yield self._found(Kind.UNFINISHED, manifest_name(number), problem)

    def _check_data(self, record: Record, before: Check) -> Iterator[Finding]:
        if before(f"{self.family.path}/{record.file}") and (problem := self._shard_problem(record)) is not None:
            yield self._found(problem.kind, record.file, problem.text, record.shard)

    def _find_litter(self) -> Iterator[Finding]:
        manifests = map(manifest_name, range(len(self.family.segments)))
        known = {CARD, copy_name(CARD), *manifests, *(record.file for record in self.records.values())}
        for name in sorted(self.names - known):
            if record_of(name) is None and not self._is_side_file(name):
                yield self._found(Kind.LITTER, name, "no record that holds names it")


def _sha256(card: Value) -> str:
    return hashlib.sha256(to_json(card)).hexdigest()


def _is_behind(name: str, layout: Layout) -> bool:
    """Whether the file called ``name`` is that of a shard or a segment behind the last ones of ``layout``."""
    numbers, data, segment = record_of(name), shard_of_data(name), segment_of_manifest(name)
    shard = numbers[0] if numbers is not None else data
    return (shard is not None and shard >= layout.shards) or (segment or 0) >= len(layout.segments)
