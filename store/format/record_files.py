"""The record files of one family, and the manifests that list them: read, created and superseded.

A shard has one record file a generation; the last one that is whole holds. A finished segment has one manifest. This
module knows no data files.
"""

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from store.errors import DamageError, StoreError, StoreMissingError
from store.format.decode import decode
from store.format.json_file import create, from_json, is_there, is_torn, parse_json, to_json
from store.format.record import Record, record_name, record_of
from store.storage import Storage

MANIFEST = "manifest.json"
_MANIFEST = re.compile(r"manifest-(\d{5,})\.json")


def manifest_name(segment: int = 0) -> str:
    """File name of the manifest of a segment; that of the first one has no number."""
    return f"manifest-{segment:05d}.json" if segment else MANIFEST


def segment_of_manifest(name: str) -> int | None:
    """The segment of the manifest called ``name``; None if it is no manifest. Inverse of `manifest_name`."""
    match = _MANIFEST.fullmatch(name)
    number = int(match[1]) if match else 0
    return number if manifest_name(number) == name else None


class Manifest(TypedDict):
    """A manifest: the hash of the family's card, if it has one, and the records of all shards of a segment."""

    card_sha256: NotRequired[str | None]
    records: list[Record]


@dataclass(kw_only=True)
class Memo:
    """The small files of a family that were read already: none is read twice.

    Only whole files are kept, which nothing but a repair changes. Which files there are is asked each time.

    Attributes:
        card: the card.
        manifests: the records that each manifest lists, by segment.
        records: those of the record files, by file name.
    """

    card: dict[str, Any] | None = None
    manifests: dict[int, list[Record]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)


class RecordFiles:
    """The records of one folder.

    Args:
        storage: of the store.
        path: folder of the family.
        memo: the small files that were read already, if they are not to be read again.
    """

    def __init__(self, storage: Storage, path: str, memo: Memo | None) -> None:
        self._storage = storage
        self._path = path
        self._memo = memo
        self._location = f"{storage.location}/{path}"

    def generations(self, shard: int) -> list[int]:
        """Generations of ``shard`` that have a file; a later one is made only if the ones before are there."""
        last = 0
        while self._has(record_name(shard, last + 1)):
            last += 1
        return list(range(last + 1))

    def _has(self, name: str) -> bool:
        try:
            self._storage.read(f"{self._path}/{name}")
        except StoreMissingError:
            return False
        return True

    def last(self, shard: int, generations: list[int]) -> Record | None:
        """The record of the last one of ``generations`` that is whole."""
        records = (self.read(shard, generation) for generation in sorted(generations, reverse=True))
        return next((record for record in records if record is not None), None)

    def read(self, shard: int, generation: int) -> Record | None:
        """The record of ``shard``; None if there is none, or its creation was cut short."""
        name = record_name(shard, generation)
        if self._memo is not None and name in self._memo.records:
            return self._memo.records[name]
        try:
            data = self._storage.read(f"{self._path}/{name}").to_pybytes()
        except StoreMissingError:
            return None
        if is_torn(data):
            return None
        place = f"{self._location}/{name}"
        record = decode(Record, parse_json(data, place), place=place)
        if record.shard != shard:
            raise DamageError(f"{self._location}/{name} is the record of shard {record.shard}")
        if self._memo is not None:
            self._memo.records[name] = record
        return record

    def listed(self, segment: int = 0) -> list[Record]:
        """The records that the manifest of ``segment`` lists.

        Raises:
            StoreMissingError: there is no manifest.
            DamageError: it is damaged.
        """
        if self._memo is not None and segment in self._memo.manifests:
            return self._memo.manifests[segment]
        name = manifest_name(segment)
        manifest = from_json(self._storage, f"{self._path}/{name}")
        records = decode(Manifest, manifest, place=f"{self._location}/{name}")["records"]
        if self._memo is not None:
            self._memo.manifests[segment] = records
        return records

    def listed_record(self, shard: int, segment: int = 0) -> Record | None:
        """The record of ``shard`` in the manifest of its segment; None if that lists none, or is damaged or missing."""
        try:
            return next((record for record in self.listed(segment) if record.shard == shard), None)
        except StoreError:
            return None

    def is_sealed(self, segment: int = 0) -> bool:
        """Whether the manifest that closes a finished segment is there, whole."""
        if self._memo is not None and segment in self._memo.manifests:
            return True
        return is_there(self._storage, f"{self._path}/{manifest_name(segment)}")

    def create(self, record: Record, generation: int) -> bool:
        """Create the record file of a generation, once; False if it is there already."""
        try:
            return create(self._storage, self._place(record, generation), to_json(dataclasses.asdict(record)))
        except OSError:
            if self.read(record.shard, generation) != record:
                raise
            return True  # it was created, and only the answer was lost

    def supersede(self, record: Record, segment: int = 0) -> bool:
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
        there = [numbers for name in self._storage.list(self._path) if (numbers := record_of(name)) is not None]
        last = max((generation for shard, generation in there if shard == record.shard), default=0)
        try:
            held = self.read(record.shard, last)
        except DamageError:
            held = None
        if held is None and last == 0 and (held := self.listed_record(record.shard, segment)) is not None:
            self._replace(held, 0)
        if held is None:
            self._replace(record, last)
            return True
        return held.sha256 != record.sha256 and self.create(record, last + 1)

    def _replace(self, record: Record, generation: int) -> None:
        self._storage.put(self._place(record, generation), to_json(dataclasses.asdict(record)))

    def _place(self, record: Record, generation: int) -> str:
        return f"{self._path}/{record_name(record.shard, generation)}"
