"""Records: what is committed in a family, its card, and its seal.

A data file that no record names is litter, never data: the exclusive creation of ``NNNNN.json`` is the only commit.
A shard that was damaged and could not be made again with equal bytes gets a later generation, ``NNNNN.g1.json`` and so
on; the last one holds. This module reads and writes small JSON files; it never opens a data file.
"""

import dataclasses
import hashlib
from typing import Any, NotRequired, TypedDict

from store.errors import DamageError, MismatchError, StoreError, StoreMissingError
from store.format.decode import decode
from store.format.json_file import create, freeze, from_json, frozen, is_there, is_torn, parse_json, to_json
from store.format.names import LABELS, TOKENS
from store.format.record import Record, record_name, record_of
from store.storage import Storage

CARD = "card.json"
MANIFEST = "manifest.json"


class Manifest(TypedDict):
    """``manifest.json``: the hash of a finished family's card, if it has one, and the records of all its shards."""

    card_sha256: NotRequired[str | None]
    records: list[Record]


class Family:
    """One folder of shards with the same rows in the same order as all other families.

    Attributes:
        path: folder of the family in the store, such as ``labels/bert``.
        shards: how many shards the store has.
        repairing: whether a commit may supersede the record of a damaged shard.
    """

    def __init__(self, storage: Storage, path: str, shards: int) -> None:
        self.storage = storage
        self.path = path
        self.shards = shards
        self.repairing = False

    @property
    def name(self) -> str:
        """Last part of the path: the name of the label set or encoding."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def has_card(self) -> bool:
        """Whether families of this kind are begun by freezing a card."""
        return self.path.split("/")[0] in (TOKENS, LABELS)

    @property
    def location(self) -> str:
        """Where the family is, for messages."""
        return f"{self.storage.location}/{self.path}"

    def card(self) -> dict[str, Any] | None:
        """What the first run froze; None before it."""
        return frozen(self.storage, f"{self.path}/{CARD}")

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
        """The record of ``shard`` that holds; None where it is not committed."""
        record = self._last(shard, self._generations(shard))
        if record is None and self.is_sealed():
            return next((record for record in self.listed() if record.shard == shard), None)
        return record

    def _generations(self, shard: int) -> list[int]:
        """Generations of ``shard`` that have a file; a later one is made only where the ones before are."""
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
        """The record of ``shard``; None where there is none, or its creation was cut short."""
        name = record_name(shard, generation)
        try:
            data = self.storage.read(f"{self.path}/{name}").to_pybytes()
        except StoreMissingError:
            return None
        if is_torn(data):
            return None
        record = self._record(parse_json(data, f"{self.location}/{name}"), name)
        if record.shard != shard:
            raise DamageError(f"{self.location}/{name} is the record of shard {record.shard}")
        return record

    def listed(self) -> list[Record]:
        """The records that the manifest lists.

        Raises:
            StoreMissingError: there is no manifest.
            DamageError: it is damaged.
        """
        manifest = from_json(self.storage, f"{self.path}/{MANIFEST}")
        return decode(Manifest, manifest, place=f"{self.location}/{MANIFEST}")["records"]

    def listed_record(self, shard: int) -> Record | None:
        """The record of ``shard`` in the manifest; None where it has none, or is damaged or not there itself."""
        try:
            return next((record for record in self.listed() if record.shard == shard), None)
        except StoreError:
            return None

    def _record(self, entry: Any, name: str) -> Record:
        return decode(Record, entry, place=f"{self.location}/{name}")

    def commit(self, record: Record) -> bool:
        """Create the record of a shard whose data file is published; False where another was first.

        Raises:
            MismatchError: the one that was first holds other bytes, and this is no repair.
        """
        if self.repairing:
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
            return True  # what failed was the answer

    def _supersede(self, record: Record) -> bool:
        """Commit behind the last generation, or in its place where it is damaged itself."""
        there = [numbers for name in self.storage.list(self.path) if (numbers := record_of(name)) is not None]
        last = max((generation for shard, generation in there if shard == record.shard), default=0)
        try:
            held = self._read(record.shard, last)
        except DamageError:
            held = None
        if held is None and last == 0 and (held := self.listed_record(record.shard)) is not None:
            # Readers take what the manifest lists for the first generation: so must its file.
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

    def is_sealed(self) -> bool:
        """Whether the manifest that closes a finished family is there, whole."""
        return is_there(self.storage, f"{self.path}/{MANIFEST}")

    def seal(self) -> bool:
        """Write the manifest of a family whose shards are all committed; False where some are missing."""
        records = self.records()
        if len(records) < self.shards:
            return False
        if not self.is_sealed():
            create(self.storage, f"{self.path}/{MANIFEST}", to_json(self.manifest(records)))
        return True

    def manifest(self, records: dict[int, Record]) -> dict[str, Any]:
        """What a manifest of ``records`` says."""
        card = self.card()
        return {
            "card_sha256": hashlib.sha256(to_json(card)).hexdigest() if card is not None else None,
            "records": [dataclasses.asdict(record) for record in records.values()],
        }
