"""A store → everything that is wrong in it: every hash, row number and fingerprint, and whether families fit together.

Small files first, then each data file that a record names: its size and hash before Arrow sees a byte of it. Reads
everything and changes nothing. What it finds is a `store.findings.Finding` each.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from store.checked_json import copy_name, from_json, is_torn, to_json
from store.contents import HEADER, Contents, Header, parse_header
from store.errors import DamageError, StoreMissingError
from store.findings import Finding, Kind
from store.manifest import CARD, MANIFEST, Family, Record, record_name, record_of
from store.schema import GOLD, LABELS, REJECTS, TOKENS
from store.shard_check import check_alignment, check_rejects, check_shard
from store.storage import TEMPORARY, Storage

Check = Callable[[str], bool]
"""Called with the name of a data file before it is read; False passes over it."""


def verify(storage: Storage, *, before: Check = lambda _: True) -> Iterator[Finding]:
    """Everything that is wrong in the store at ``storage``, as it is found.

    Args:
        storage: where.
        before: told of each data file before it is read.

    Raises:
        StoreMissingError: there is no store.
        FormatError: its format is not known to this program.
        DamageError: the header and its copy are both unreadable, so that nothing else can be judged.
    """
    yield from _check_twice(storage, HEADER, "", lambda value: _is_header(storage, value))
    header = readable_header(storage)
    contents = Contents(storage, header)
    yield from _check_rejects(contents, before)
    for family in contents.families():
        yield from _FamilyCheck(contents, family).findings(before)
    yield from (
        Finding(
            kind=Kind.LITTER, family="", shard=None, file=f"{TEMPORARY}/{name}", problem="a writer's unfinished file"
        )
        for name in storage.list(TEMPORARY)
    )


def readable_header(storage: Storage) -> Header:
    """The header, or else its copy.

    Raises:
        as `verify`.
    """
    for name in (HEADER, copy_name(HEADER)):
        try:
            return parse_header(storage, from_json(storage, name))
        except (StoreMissingError, DamageError):
            continue
    if not {HEADER, copy_name(HEADER)} & set(storage.list("")):
        raise StoreMissingError(f"{storage.location} is not a store: it has no {HEADER}")
    raise DamageError(f"{storage.location}: {HEADER} and its copy are both damaged; restore one of them from a backup")


def _litter(family: str, file: str, problem: str) -> Finding:
    return Finding(kind=Kind.LITTER, family=family, shard=None, file=file, problem=problem)


def _sha256(card: dict[str, Any]) -> str:
    return hashlib.sha256(to_json(card)).hexdigest()


def _small(storage: Storage, name: str) -> tuple[dict[str, Any] | None, str]:
    """The value of a small file, or None and what is wrong with it."""
    try:
        return from_json(storage, name), ""
    except StoreMissingError:
        return None, "is missing"
    except DamageError:
        torn = is_torn(storage.read(name).to_pybytes())
        return None, "is cut short" if torn else "its bytes are not those of its check"


def _is_header(storage: Storage, value: dict[str, Any]) -> bool:
    try:
        parse_header(storage, value)
    except DamageError:
        return False
    return True


def _check_twice(
    storage: Storage, name: str, family: str, is_right: Callable[[dict[str, Any]], bool]
) -> Iterator[Finding]:
    """Check a file that is kept twice, and its copy; ``is_right`` knows what else may have got in their places."""
    folder_names = set(storage.list(family))
    if not {name, copy_name(name)} & folder_names:
        return
    values = []
    for one in (name, copy_name(name)):
        value, problem = _small(storage, f"{family}/{one}".lstrip("/"))
        if value is not None and not is_right(value):
            value, problem = None, "is whole, and is not what was written there"
        values.append(value)
        if value is None:
            gone = one not in folder_names
            # The copy comes second: a writer may have been killed between the two.
            kind = Kind.DAMAGED if not gone else Kind.MISSING if one == name else Kind.UNFINISHED
            yield Finding(kind=kind, family=family, shard=None, file=f"{family}/{one}".lstrip("/"), problem=problem)
    if None not in values and values[0] != values[1]:
        file = f"{family}/{copy_name(name)}".lstrip("/")
        problem = f"differs from {name}"
        yield Finding(kind=Kind.MISMATCH, family=family, shard=None, file=file, problem=problem)


def _check_rejects(contents: Contents, before: Check) -> Iterator[Finding]:
    file = f"{REJECTS}/{contents.header.rejects['file']}"
    if before(file) and (problem := check_rejects(contents)):
        kind = Kind.MISSING if problem == "is missing" else Kind.DAMAGED
        yield Finding(kind=kind, family=REJECTS, shard=None, file=file, problem=problem)
    for name in contents.storage.list(REJECTS):
        if name != contents.header.rejects["file"]:
            yield Finding(
                kind=Kind.LITTER,
                family=REJECTS,
                shard=None,
                file=f"{REJECTS}/{name}",
                problem="the header names another",
            )


class _FamilyCheck:
    """The checks of one family, which know what it has."""

    def __init__(self, contents: Contents, family: Family) -> None:
        self.contents = contents
        self.family = family
        self.names = set(contents.storage.list(family.path))
        self.manifest: dict[int, Record] = {}
        self.records: dict[int, Record] = {}

    def findings(self, before: Check) -> Iterator[Finding]:
        """Everything that is wrong in the family."""
        if not self.names:
            return
        yield from _check_twice(self.contents.storage, CARD, self.family.path, self._is_right_card())
        if self._needs_card() and not {CARD, copy_name(CARD)} & self.names:
            yield self._found(Kind.MISSING, CARD, "is missing, and so is its copy")
        yield from self._check_card()
        yield from self._check_manifest()
        yield from self._check_records()
        yield from self._check_complete()
        for record in self.records.values():
            yield from self._check_data(record, before)
        yield from self._find_litter()

    def _found(self, kind: Kind, name: str, problem: str, shard: int | None = None) -> Finding:
        file = f"{self.family.path}/{name}"
        return Finding(kind=kind, family=self.family.path, shard=shard, file=file, problem=problem)

    def _needs_card(self) -> bool:
        return self.family.path.split("/")[0] in (TOKENS, LABELS)

    def _cards(self) -> list[dict[str, Any]]:
        """The card and its copy, those that can be read."""
        both = (_small(self.contents.storage, f"{self.family.path}/{name}")[0] for name in (CARD, copy_name(CARD)))
        return [value for value in both if value is not None]

    def _is_right_card(self) -> Callable[[dict[str, Any]], bool]:
        """Where the manifest knows one of two cards, it is that one."""
        manifest, _ = _small(self.contents.storage, f"{self.family.path}/{MANIFEST}")
        known = [card for card in self._cards() if manifest and manifest.get("card_sha256") == _sha256(card)]
        return lambda value: value in known or not known

    def _card(self) -> dict[str, Any]:
        """The card or else its copy; empty where neither can be read."""
        return next(filter(self._is_right_card(), self._cards()), {})

    def _check_card(self) -> Iterator[Finding]:
        """A label set's classes are the store's, and its encoding is that of the tokens that are kept."""
        card = self._card()
        if not self.family.path.startswith(f"{LABELS}/"):
            return
        if sorted(card.get("classes", self.contents.header.classes)) != sorted(self.contents.header.classes):
            yield self._found(Kind.MISMATCH, CARD, f"has the classes {', '.join(card['classes'])}")
        tokens, _ = _small(self.contents.storage, f"{TOKENS}/{card.get('encoding')}/{CARD}")
        if tokens is not None and tokens.get("encoding_sha256") != card.get("encoding_sha256"):
            yield self._found(Kind.MISMATCH, CARD, f"has another fingerprint than {TOKENS}/{card['encoding']}/{CARD}")

    def _check_manifest(self) -> Iterator[Finding]:
        if MANIFEST not in self.names:
            return
        value, problem = _small(self.contents.storage, f"{self.family.path}/{MANIFEST}")
        try:
            listed = self.family.listed() if value is not None else []
        except DamageError as error:
            value, problem = None, str(error)
        if value is None:
            yield self._found(Kind.DAMAGED, MANIFEST, problem)
            return
        card = self._card()
        if bool(card) == self._needs_card() and value.get("card_sha256") != (_sha256(card) if card else None):
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

    def _record(self, name: str, shard: int) -> tuple[Record | None, str]:
        """The record called ``name``, or None and what is wrong with it."""
        value, problem = _small(self.contents.storage, f"{self.family.path}/{name}")
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
        first, stop = self.contents.shard_range(shard)
        if (record.first_row, record.rows) != (first, stop - first):
            return f"says rows {record.first_row} to {record.first_row + record.rows - 1}, not {first} to {stop - 1}"
        return ""

    def _check_complete(self) -> Iterator[Finding]:
        missing = self.family.shards - len(self.records)
        if missing and not self.manifest and self.family.path != GOLD:
            problem = f"{missing:,} of {self.family.shards:,} shards are not committed"
            yield self._found(Kind.UNFINISHED, "", problem)
        elif MANIFEST not in self.names and self.family.path != GOLD:
            yield self._found(Kind.UNFINISHED, MANIFEST, "every shard is committed, and the family is not sealed")

    def _check_data(self, record: Record, before: Check) -> Iterator[Finding]:
        if not before(f"{self.family.path}/{record.file}"):
            return
        problem = check_shard(self.contents, self.family, record)
        if not problem and self.family.path.startswith(f"{LABELS}/"):
            problem = check_alignment(self.contents, self.family, record, self._card())
        if problem:
            kind = Kind.MISSING if problem == "is missing" else Kind.DAMAGED
            yield self._found(kind, record.file, problem, record.shard)

    def _find_litter(self) -> Iterator[Finding]:
        known = {CARD, copy_name(CARD), MANIFEST, *(record.file for record in self.records.values())}
        for name in sorted(self.names - known):
            if record_of(name) is None:
                yield self._found(Kind.LITTER, name, "no record names it")
