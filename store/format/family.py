"""A family: the records of its committed shards, its card, and its seal.

A data file that no record names is litter, never data: the exclusive creation of ``NNNNN.json`` is the only commit.
A shard that was damaged and could not be made again with equal bytes gets a later generation, ``NNNNN.g1.json`` and so
on; the last one holds. This module reads and writes small JSON files; it never opens a data file.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from store.errors import DamageError, MismatchError, StoreError, StoreMissingError
from store.format.decode import decode
from store.format.json_file import create, freeze, from_json, frozen, is_there, is_torn, parse_json, to_json
from store.format.record import Record, record_name, record_of
from store.storage import Storage

CARD = "card.json"
MANIFEST = "manifest.json"


class Manifest(TypedDict):
    """``manifest.json``: the hash of a finished family's card, if it has one, and the records of all its shards."""

    card_sha256: NotRequired[str | None]
    records: list[Record]


@dataclass(kw_only=True)
class Memo:
    """The small files of a family that were read already: none is read twice.

    Only whole files are kept, which nothing but a repair changes. Which files there are is asked each time.

    Attributes:
        card: the card.
        manifest: the records that the manifest lists.
        records: those of the record files, by file name.
    """

    card: dict[str, Any] | None = None
    manifest: list[Record] | None = None
    records: dict[str, Record] = field(default_factory=dict)


class Family:
    """One folder of shards with the same rows in the same order as all other families.

    Args:
        storage: of the store.
        path: folder of the family in the store, such as ``labels/bert``.
        shards: how many shards the store has.
        has_card: whether it is begun by freezing a card.
        is_compressed: whether its data files are.
        memo: the small files that were read already, if they are not to be read again.
        supersedes: whether a commit may take the place of the record of a damaged shard.
    """

    def __init__(
        self,
        storage: Storage,
        path: str,
        shards: int,
        *,
        has_card: bool = False,
        is_compressed: bool = False,
        memo: Memo | None = None,
        supersedes: bool = False,
    ) -> None:
        self.storage = storage
        self.path = path
        self.shards = shards
        self.has_card = has_card
        self.is_compressed = is_compressed
        self._memo = memo
        self._supersedes = supersedes

    def for_repair(self) -> "Family":
        """The same family, whose commits supersede the record of a shard. It reads every file each time."""
        return Family(
            self.storage,
            self.path,
            self.shards,
            has_card=self.has_card,
            is_compressed=self.is_compressed,
            supersedes=True,
        )

    @property
    def name(self) -> str:
        """Last part of the path: the name of the label set or encoding."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def location(self) -> str:
        """Where the family is, for messages."""
        return f"{self.storage.location}/{self.path}"

    def card(self) -> dict[str, Any] | None:
        """The card that the first run froze; None before it."""
        if self._memo is None:
            return frozen(self.storage, f"{self.path}/{CARD}")
        if self._memo.card is None:
            self._memo.card = frozen(self.storage, f"{self.path}/{CARD}")
        return self._memo.card

    def freeze_card(self, card: dict[str, Any]) -> dict[str, Any]:
        """Write ``card``, unless there is one; the card that holds."""
        return freeze(self.storage, f"{self.path}/{CARD}", card)

    def records(self, *, manifest: bool = True) -> dict[int, Record]:
        """Every committed shard's record, by shard number, in order.

        Args:
            manifest: whether the manifest may speak for the record files that it lists.
        """
        names = self.storage.list(self.path)
        sealed = manifest and MANIFEST in names and self.is_sealed()
        found = {record.shard: record for record in self.listed()} if sealed else {}
        generations: dict[int, list[int]] = {}
        for name in names:
            if (not sealed or ".g" in name) and (numbers := record_of(name)) is not None:
                generations.setdefault(numbers[0], []).append(numbers[1])
        for shard, there in generations.items():
            if (record := self._last(shard, there)) is not None:
                found[shard] = record
        return {shard: found[shard] for shard in sorted(found)}

    def record(self, shard: int) -> Record | None:
        """The record of ``shard`` that holds; None if it is not committed."""
        record = self._last(shard, self._generations(shard))
        if record is None and self.is_sealed():
            return next((record for record in self.listed() if record.shard == shard), None)
        return record

    def _generations(self, shard: int) -> list[int]:
        """Generations of ``shard`` that have a file; a later one is made only if the ones before are there."""
        last = 0
        while self._has(record_name(shard, last + 1)):
            last += 1
        return list(range(last + 1))

    def _has(self, name: str) -> bool:
        try:
            self.storage.read(f"{self.path}/{name}")
        except StoreMissingError:
            return False
        return True

    def _last(self, shard: int, generations: list[int]) -> Record | None:
        """The record of the last one of ``generations`` that is whole."""
        records = (self._read(shard, generation) for generation in sorted(generations, reverse=True))
        return next((record for record in records if record is not None), None)

    def _read(self, shard: int, generation: int) -> Record | None:
        """The record of ``shard``; None if there is none, or its creation was cut short."""
        name = record_name(shard, generation)
        if self._memo is not None and name in self._memo.records:
            return self._memo.records[name]
        try:
            data = self.storage.read(f"{self.path}/{name}").to_pybytes()
        except StoreMissingError:
            return None
        if is_torn(data):
            return None
        record = self._record(parse_json(data, f"{self.location}/{name}"), name)
        if record.shard != shard:
            raise DamageError(f"{self.location}/{name} is the record of shard {record.shard}")
        if self._memo is not None:
            self._memo.records[name] = record
        return record

    def listed(self) -> list[Record]:
        """The records that the manifest lists.

        Raises:
            StoreMissingError: there is no manifest.
            DamageError: it is damaged.
        """
        if self._memo is not None and self._memo.manifest is not None:
            return self._memo.manifest
        manifest = from_json(self.storage, f"{self.path}/{MANIFEST}")
        records = decode(Manifest, manifest, place=f"{self.location}/{MANIFEST}")["records"]
        if self._memo is not None:
            self._memo.manifest = records
        return records

    def listed_record(self, shard: int) -> Record | None:
        """The record of ``shard`` in the manifest; None if it lists none, or is damaged or missing itself."""
        try:
            return next((record for record in self.listed() if record.shard == shard), None)
        except StoreError:
            return None

    def _record(self, entry: Any, name: str) -> Record:
        return decode(Record, entry, place=f"{self.location}/{name}")

    def commit(self, record: Record) -> bool:
        """Create the record of a shard whose data file is published; False if another was first.

        Raises:
            MismatchError: the one that was first holds other bytes, and this is not `for_repair`.
        """
        if self._supersedes:
            return self._supersede(record)
        if self.record(record.shard) is None and self._create(record, 0):
            return True
        first = self.record(record.shard)
        if first is not None and first.sha256 == record.sha256:
            return False
        raise MismatchError(
            f"{self.location}: shard {record.shard} was committed with other bytes ("
            f"{first.sha256[:16] if first else 'none'}, this run made {record.sha256[:16]}); the first commit stays"
        )

    def _create(self, record: Record, generation: int) -> bool:
        try:
            return create(self.storage, self._place(record, generation), to_json(dataclasses.asdict(record)))
        except OSError:
            if self._read(record.shard, generation) != record:
                raise
            return True  # it was created, and only the answer was lost

    def _supersede(self, record: Record) -> bool:
        """Commit behind the last generation, or in its place if it is damaged itself.

        ==================================  ===================================================
        record file of the last generation  then
        ==================================  ===================================================
        whole, of the same bytes            nothing: False
        whole, of other bytes               a generation more
        lost or damaged, not the first one  replaced
        lost or damaged, the first one,
        - and not in the manifest           replaced
        - and in the manifest               restored from it, since readers take that for the
                                            first generation; then as if it had been whole
        ==================================  ===================================================
        """
        there = [numbers for name in self.storage.list(self.path) if (numbers := record_of(name)) is not None]
        last = max((generation for shard, generation in there if shard == record.shard), default=0)
        try:
            held = self._read(record.shard, last)
        except DamageError:
            held = None
        if held is None and last == 0 and (held := self.listed_record(record.shard)) is not None:
            self._replace(held, 0)
        if held is None:
            self._replace(record, last)
            return True
        return held.sha256 != record.sha256 and self._create(record, last + 1)

    def _replace(self, record: Record, generation: int) -> None:
        self.storage.put(self._place(record, generation), to_json(dataclasses.asdict(record)))

    def _place(self, record: Record, generation: int) -> str:
        return f"{self.path}/{record_name(record.shard, generation)}"

    def missing(self) -> list[int]:
        """Shards that are not committed yet, in order."""
        present = self.records()
        return [shard for shard in range(self.shards) if shard not in present]

    def lacking(self, missing: Sequence[int]) -> str:
        """That the shards ``missing``, at least one, are missing, and the remedy; for a message."""
        return (
            f"{self.location} lacks {len(missing):,} of {self.shards:,} shards (the first is {missing[0]}); run its "
            "label command again to finish it"
        )

    def check_complete(self) -> None:
        """Refuse a family that is not finished.

        Raises:
            StoreMissingError: shards are missing.
        """
        if missing := self.missing():
            raise StoreMissingError(self.lacking(missing))

    def is_sealed(self) -> bool:
        """Whether the manifest that closes a finished family is there, whole."""
        if self._memo is not None and self._memo.manifest is not None:
            return True
        return is_there(self.storage, f"{self.path}/{MANIFEST}")

    def seal(self) -> bool:
        """Write the manifest of a family whose shards are all committed; False if some are missing."""
        records = self.records()
        if len(records) < self.shards:
            return False
        if not self.is_sealed():
            create(self.storage, f"{self.path}/{MANIFEST}", to_json(self.manifest(records)))
        return True

    def manifest(self, records: dict[int, Record]) -> dict[str, Any]:
        """The manifest of ``records``."""
        card = self.card()
        return {
            "card_sha256": hashlib.sha256(to_json(card)).hexdigest() if card is not None else None,
            "records": [dataclasses.asdict(record) for record in records.values()],
        }
