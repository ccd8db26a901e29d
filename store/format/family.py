"""A family: the records of its committed shards, its card, and its seal.

A data file that no record names is litter, never data: the exclusive creation of ``NNNNN.json`` is the only commit.
A shard that was damaged and could not be made again with equal bytes gets a later generation, ``NNNNN.g1.json`` and so
on; the last one holds. This module reads and writes small JSON files; it never opens a data file.
"""

import dataclasses
import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from store.errors import MismatchError, StoreMissingError
from store.format.json_file import create, freeze, frozen, to_json
from store.format.label_command import label_command
from store.format.names import CARD
from store.format.record import Record, record_name, record_of
from store.format.record_files import Memo, RecordFiles, manifest_name
from store.storage import Storage

_GONE = "has been removed since it was opened"


class Family:
    """One folder of shards with the same rows in the same order as all other families.

    Args:
        storage: of the store.
        path: folder of the family in the store, such as ``labels/bert``.
        shards: those of each segment of the store, each of which has a manifest of its own. Records of other shards are
            of rows that were appended later, and are passed over. If it is a number, there is one segment of so many,
            and any record counts.
        has_card: whether it is begun by freezing a card.
        is_compressed: whether its data files are.
        memo: the small files that were read already, if they are not to be read again.
        supersedes: whether a commit may take the place of the record of a damaged shard.
    """

    def __init__(
        self,
        storage: Storage,
        path: str,
        shards: int | Sequence[range],
        *,
        has_card: bool = False,
        is_compressed: bool = False,
        memo: Memo | None = None,
        supersedes: bool = False,
    ) -> None:
        self.storage = storage
        self.path = path
        self.segments = (range(shards),) if isinstance(shards, int) else tuple(shards)
        self.shards = self.segments[-1].stop
        self.has_card = has_card
        self.is_compressed = is_compressed
        self.record_files = RecordFiles(storage, path, memo)
        self._memo = memo
        self._supersedes = supersedes
        self._is_bounded = not isinstance(shards, int)

    def for_repair(self) -> "Family":
        """The same family, whose commits supersede the record of a shard. It reads every file each time."""
        return self._anew(supersedes=True)

    def _anew(self, *, supersedes: bool) -> "Family":
        return Family(
            self.storage,
            self.path,
            self.segments if self._is_bounded else self.shards,
            has_card=self.has_card,
            is_compressed=self.is_compressed,
            supersedes=supersedes,
        )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the family from being removed as long as something is written into it.

        Raises:
            StoreMissingError: it has been removed, or no run has begun it.
            MismatchError: it has been removed, and begun again with another card than was read before.
        """
        if not self.has_card:  # it is never removed
            yield
            return
        with self.storage.kept(self.path):
            card, known = frozen(self.storage, f"{self.path}/{CARD}"), None if self._memo is None else self._memo.card
            if card is None:
                way = label_command(self.storage, self.path, card=known)
                raise StoreMissingError(f"{self.location} {_GONE}; `{way}` begins it again")
            if known not in (None, card):
                raise MismatchError(f"{self.location} {_GONE}, and begun again by another run; use another name")
            yield

    def check_there(self) -> None:
        """Refuse a family that was there before and is there no more.

        Raises:
            StoreMissingError: it has been removed.
        """
        if self.has_card and not self.storage.list(self.path):
            raise StoreMissingError(f"{self.location} {_GONE}")

    def change_of(self, record: Record) -> str | None:
        """What has become of a shard since ``record`` was read, in words; None if that is still its record."""
        now = self._anew(supersedes=False).record(record.shard)
        if now is None and self.has_card:
            return f"{self.location} {_GONE}"
        if now is not None and now.file != record.file:
            return f"{self.location} has been repaired, or removed and made again, since it was opened; open it again"
        return None

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
            manifest: whether the manifests may speak for the record files that they list.

        Raises:
            DamageError: one is damaged.
            StoreMissingError: the family is removed meanwhile.
        """
        names = self.storage.list(self.path)
        there = set(names)
        found: dict[int, Record] = {}
        unsealed = []
        for number, shards in enumerate(self.segments):
            if manifest and manifest_name(number) in there and self.record_files.is_sealed(number):
                found |= {record.shard: record for record in self.record_files.listed(number)}
            else:
                unsealed.append(shards)
        generations: dict[int, list[int]] = {}
        for name in names:
            if (unsealed or ".g" in name) and (numbers := record_of(name)) is not None and self._has(numbers, unsealed):
                generations.setdefault(numbers[0], []).append(numbers[1])
        lost = []
        last = self.storage.map(lambda one: self.record_files.last(*one), generations.items())
        for (shard, there_now), record in zip(generations.items(), last, strict=True):
            if record is not None:
                found[shard] = record
            else:
                lost += [record_name(shard, generation) for generation in there_now]
        if lost and not set(lost) <= set(self.storage.list(self.path)):  # torn ones are there
            raise StoreMissingError(f"{self.location} {_GONE}")
        return {shard: found[shard] for shard in sorted(found)}

    def _has(self, numbers: tuple[int, int], unsealed: list[range]) -> bool:
        """Whether the record file of such a shard and generation counts, beside the manifests."""
        shard, generation = numbers
        if not self._is_bounded:
            return bool(unsealed or generation)
        if generation:
            return 0 <= shard < self.shards
        return any(shard in shards for shards in unsealed)

    def record(self, shard: int) -> Record | None:
        """The record of ``shard`` that holds; None if it is not committed."""
        record = self.record_files.last(shard, self.record_files.generations(shard))
        segment = self.segment_of(shard)
        if record is None and self.record_files.is_sealed(segment):
            return next((record for record in self.record_files.listed(segment) if record.shard == shard), None)
        return record

    def segment_of(self, shard: int) -> int:
        """The number of the segment that has ``shard``; the last one's if none has."""
        return bisect_right([shards.start for shards in self.segments], shard) - 1

    def commit(self, record: Record) -> bool:
        """Create the record of a shard whose data file is published; False if another was first.

        Raises:
            MismatchError: the one that was first holds other bytes, and this is not `for_repair`.
        """
        if self._supersedes:
            return self.record_files.supersede(record, self.segment_of(record.shard))
        if self.record(record.shard) is None and self.record_files.create(record, 0):
            return True
        first = self.record(record.shard)
        if first is not None and first.sha256 == record.sha256:
            return False
        raise MismatchError(
            f"{self.location}: shard {record.shard} was committed with other bytes ("
            f"{first.sha256[:16] if first else 'none'}, this run made {record.sha256[:16]}); the first commit stays"
        )

    def missing(self) -> list[int]:
        """Shards that are not committed yet, in order."""
        present = self.records()
        return [shard for shard in range(self.shards) if shard not in present]

    def lacking(self, missing: Sequence[int]) -> str:
        """That the shards ``missing``, at least one, are missing, and the remedy; for a message."""
        way = label_command(self.storage, self.path)
        what = f"lacks {len(missing):,} of {self.shards:,} shards (the first is {missing[0]})"
        return f"{self.location} {what}; `{way}` finishes it"

    def check_complete(self) -> None:
        """Refuse a family that is not finished.

        Raises:
            StoreMissingError: shards are missing.
        """
        if missing := self.missing():
            raise StoreMissingError(self.lacking(missing))

    def is_sealed(self) -> bool:
        """Whether the manifests that close a finished family, one a segment, are all there, whole."""
        return all(map(self.record_files.is_sealed, range(len(self.segments))))

    def seal(self) -> bool:
        """Write the manifest of each segment whose shards are all committed; False if some are missing."""
        records = self.records()
        for number, shards in enumerate(self.segments):
            held = {shard: records[shard] for shard in shards if shard in records}
            if len(held) == len(shards) and not self.record_files.is_sealed(number):
                with self.kept():
                    create(self.storage, f"{self.path}/{manifest_name(number)}", to_json(self.manifest(held)))
        return len(records) >= self.shards

    def manifest(self, records: dict[int, Record]) -> dict[str, Any]:
        """The manifest of ``records``, those of one segment."""
        card = self.card()
        return {
            "card_sha256": hashlib.sha256(to_json(card)).hexdigest() if card is not None else None,
            "records": [dataclasses.asdict(record) for record in records.values()],
        }
