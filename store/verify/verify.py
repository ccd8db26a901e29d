"""A store → everything that is wrong in it: every hash, row number and fingerprint, and whether families fit together.

Small files first, then each data file that a record names: its size and hash before Arrow sees a byte of it. Reads
everything and changes nothing. Each problem is a `store.format.findings.Finding`.
"""

from collections.abc import Iterator
from typing import Any

from store.errors import DamageError, StoreMissingError
from store.families.registry import kind_of
from store.format.findings import Finding, Kind
from store.format.header import HEADER, Header, not_a_store, parse_header, with_segments
from store.format.json_file import copy_name, from_json
from store.format.names import CORPUS, LABELS
from store.format.record import record_name
from store.format.record_files import manifest_name
from store.snapshot import Snapshot
from store.storage import TEMPORARY, Storage
from store.storage.base import removed_folder
from store.verify.copies import check_twice
from store.verify.family import Check, FamilyCheck
from store.verify.gold import check_gold
from store.verify.labels import LabelSetCheck
from store.verify.segments import (
    check_all_rejects,
    check_guard,
    check_none_lost,
    check_segment_files,
    readable_segments,
)
from store.verify.selections import check_selections

_CHECKS: dict[str, type[FamilyCheck]] = {LABELS: LabelSetCheck}
"""Of the kinds that have more to check than their files and rows."""


def verify(storage: Storage, *, before: Check = lambda _: True) -> Iterator[Finding]:
    """Everything that is wrong in the store at ``storage``, as it is found.

    Args:
        storage: where.
        before: told of each data file before it is read.

    Raises:
        StoreMissingError: there is no store.
        FormatError: its format is not known to this program.
        DamageError: the header and its copy are both unreadable, or the file of a segment and its copy, so that nothing
            else can be judged.
    """
    yield from check_twice(storage, HEADER, "", lambda value: _is_header(storage, value))
    yield from check_segment_files(storage)
    snapshot = Snapshot(storage, readable_header(storage)).memoised()
    check_none_lost(snapshot, readable_header)
    yield from check_guard(snapshot)
    yield from check_all_rejects(snapshot, before)
    laid_out = [family for family in snapshot.families() if kind_of(family.path).is_laid_out]
    checks = [_CHECKS.get(kind_of(family.path).name, FamilyCheck)(snapshot, family) for family in laid_out]
    for check in checks:
        yield from check.findings(before)
    yield from check_gold(snapshot, before)
    yield from _check_corpus_first(checks)
    yield from check_selections(snapshot, before)
    for name in storage.list(TEMPORARY):
        removed = removed_folder(f"{TEMPORARY}/{name}")
        is_written = "a writer is still writing it, or was killed"
        yield _litter(
            "", f"{TEMPORARY}/{name}", is_written if removed is None else f"what is left of {removed}, removed"
        )


def readable_header(storage: Storage) -> Header:
    """The header, or else its copy; with the segments, or else their copies.

    Raises:
        as `verify`.
    """
    return with_segments(storage, _readable_first(storage), readable_segments(storage))


def _readable_first(storage: Storage) -> Header:
    for name in (HEADER, copy_name(HEADER)):
        try:
            return parse_header(storage, from_json(storage, name))
        except (StoreMissingError, DamageError):
            continue
    if not {HEADER, copy_name(HEADER)} & set(storage.list("")):
        raise StoreMissingError(not_a_store(storage))
    raise DamageError(f"{storage.location}: {HEADER} and its copy are both damaged; restore one of them from a backup")


def _is_header(storage: Storage, value: dict[str, Any]) -> bool:
    try:
        parse_header(storage, value)
    except DamageError:
        return False
    return True


def _check_corpus_first(checks: list[FamilyCheck]) -> Iterator[Finding]:
    """Tokens and labels are made of texts: a shard of them is committed only after that of the corpus."""
    corpus, *others = checks
    committed: set[int] = set().union(*(check.records for check in others))
    for shard in sorted(committed - set(corpus.records)):
        manifest = manifest_name(corpus.snapshot.layout.segment_of(shard))
        if {record_name(shard), manifest} & corpus.names:
            continue  # it is damaged, or missing in a sealed family, and said to be
        file = f"{CORPUS}/{record_name(shard)}"
        problem = "is missing, and other families hold its rows"
        yield Finding(kind=Kind.MISSING, family=CORPUS, shard=shard, file=file, problem=problem)


def _litter(family: str, file: str, problem: str) -> Finding:
    return Finding(kind=Kind.LITTER, family=family, shard=None, file=file, problem=problem)
