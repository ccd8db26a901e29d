"""Records: what is committed in a family, its card, and its seal.

A data file that no record names is litter, never data: the exclusive creation of ``NNNNN.json`` is the only commit.
This module reads and writes JSON; it never opens a data file.
"""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from store.errors import DamageError, MismatchError, StoreMissingError
from store.storage import Storage

CARD = "card.json"
MANIFEST = "manifest.json"
_RECORD = re.compile(r"\d{5,}\.json")


@dataclass(frozen=True, kw_only=True)
class Record:
    """The commit of one shard of one family.

    Attributes:
        shard: its number, from 0.
        first_row: row number of its first row.
        rows: how many it holds.
        file: name of the data file beside the record: ``NNNNN-<first 16 of sha256>.arrow``.
        bytes: size of the data file.
        sha256: of the data file, hexadecimal.
        statistics: a summary of the rows; a pure function of them.
    """

    shard: int
    first_row: int
    rows: int
    file: str
    bytes: int
    sha256: str
    statistics: dict[str, Any] = field(default_factory=dict)


def to_json(value: Any) -> bytes:
    """Readable JSON, the same bytes for the same value."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def from_json(storage: Storage, name: str) -> Any:
    """The JSON file ``name``.

    Raises:
        DamageError: it is not JSON.
    """
    try:
        return json.loads(storage.read(name).to_pybytes())
    except ValueError as error:
        raise DamageError(f"{storage.location}/{name} is damaged: {error}") from None


def record_name(shard: int) -> str:
    """File name of a shard's record."""
    return f"{shard:05d}.json"


def data_name(shard: int, sha256: str) -> str:
    """File name of a shard's data: its number and the beginning of its hash."""
    return f"{shard:05d}-{sha256[:16]}.arrow"


class Family:
    """One folder of shards with the same rows in the same order as all other families.

    Attributes:
        path: folder of the family in the store, such as ``labels/bert``.
        shards: how many shards the store has.
    """

    def __init__(self, storage: Storage, path: str, shards: int) -> None:
        self.storage = storage
        self.path = path
        self.shards = shards

    @property
    def name(self) -> str:
        """Last part of the path: the name of the label set or encoding."""
        return self.path.rsplit("/", 1)[-1]

    def card(self) -> dict[str, Any] | None:
        """What the first run froze; None before it."""
        try:
            card: dict[str, Any] = from_json(self.storage, f"{self.path}/{CARD}")
        except StoreMissingError:
            return None
        return card

    def freeze_card(self, card: dict[str, Any]) -> dict[str, Any]:
        """Write ``card``, unless there is one; the card that holds."""
        self.storage.put_if_absent(f"{self.path}/{CARD}", to_json(card))
        held = self.card()
        assert held is not None, "a card was created and is not there"
        return held

    def records(self) -> dict[int, Record]:
        """Every committed shard's record, by shard number, in order."""
        names = self.storage.list(self.path)
        if MANIFEST in names:
            found = self._listed()
        else:
            found = [self._read(name) for name in names if _RECORD.fullmatch(name)]
        return {record.shard: record for record in sorted(found, key=lambda record: record.shard)}

    def record(self, shard: int) -> Record | None:
        """The record of ``shard``; None where it is not committed."""
        try:
            return self._read(record_name(shard))
        except StoreMissingError:
            return None

    def _read(self, name: str) -> Record:
        return self._record(from_json(self.storage, f"{self.path}/{name}"), name)

    def _listed(self) -> list[Record]:
        manifest = from_json(self.storage, f"{self.path}/{MANIFEST}")
        if not isinstance(manifest, dict) or not isinstance(manifest.get("records"), list):
            raise DamageError(f"{self.storage.location}/{self.path}/{MANIFEST} is not a manifest: it lists no records")
        return [self._record(entry, MANIFEST) for entry in manifest["records"]]

    def _record(self, entry: Any, name: str) -> Record:
        try:
            return Record(**entry)
        except TypeError as error:
            raise DamageError(f"{self.storage.location}/{self.path}/{name} is not a record: {error}") from None

    def commit(self, record: Record) -> bool:
        """Create the record of a shard whose data file is published; False where another was first.

        Raises:
            MismatchError: the one that was first holds other bytes.
        """
        if self.storage.put_if_absent(f"{self.path}/{record_name(record.shard)}", to_json(dataclasses.asdict(record))):
            return True
        first = self.record(record.shard)
        if first is None or first.sha256 != record.sha256:
            raise MismatchError(
                f"{self.storage.location}/{self.path}: shard {record.shard} was committed with other bytes ("
                f"{first.sha256[:16] if first else 'none'}, this run made {record.sha256[:16]}); the first commit stays"
            )
        return False

    def missing(self) -> list[int]:
        """Shards that are not committed yet, in order."""
        present = self.records()
        return [shard for shard in range(self.shards) if shard not in present]

    def is_sealed(self) -> bool:
        """Whether the manifest that closes a finished family is there."""
        return MANIFEST in self.storage.list(self.path)

    def seal(self) -> bool:
        """Write the manifest of a family whose shards are all committed; False where some are missing."""
        records = self.records()
        if len(records) < self.shards:
            return False
        card = self.card()
        manifest = {
            "card_sha256": hashlib.sha256(to_json(card)).hexdigest() if card is not None else None,
            "records": [dataclasses.asdict(record) for record in records.values()],
        }
        self.storage.put_if_absent(f"{self.path}/{MANIFEST}", to_json(manifest))
        return True
