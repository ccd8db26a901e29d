"""The segments that were appended to a store → everything that is wrong with their files and refused rows."""

from collections.abc import Callable, Iterator
from functools import partial

from store.errors import DamageError, StoreMissingError
from store.families.registry import kind_of
from store.families.rejects import check_rejects
from store.format.findings import Finding, Kind
from store.format.header import Header
from store.format.json_file import Value, copy_name, read_small
from store.format.names import CORPUS, REJECTS, SEGMENTS
from store.format.record import record_of
from store.format.record_files import segment_of_manifest
from store.format.segments import (
    GUARD,
    SegmentRecord,
    begun_segments,
    is_guarded,
    lost_segment,
    parse_segment,
    segment_name,
    segment_of,
)
from store.snapshot import Snapshot
from store.storage import Storage
from store.verify.copies import check_twice


def check_segment_files(storage: Storage) -> Iterator[Finding]:
    """The file of each segment, and its copy."""
    for number in begun_segments(storage):
        name = segment_name(number).rpartition("/")[2]
        yield from check_twice(storage, name, SEGMENTS, partial(_is_segment, storage, number))


def readable_segments(storage: Storage) -> list[SegmentRecord]:
    """All segments that were appended, in order, each from its file or else from its copy.

    Raises:
        DamageError: neither can be read, though one was there.
    """
    found: list[SegmentRecord] = []
    begun = begun_segments(storage)
    for number in range(1, max(begun, default=0) + 1):
        problems = []
        for name in (segment_name(number), copy_name(segment_name(number))):
            value, problem = read_small(storage, name)
            if value is not None and _is_segment(storage, number, value):
                found.append(parse_segment(storage, number, value))
                break
            problems.append(problem)
        else:
            # One that is cut short is being created, or its writer was killed.
            if number < begun[-1] or not {"is missing", "is cut short"}.issuperset(problems):
                raise DamageError(lost_segment(storage, number))
    return found


def check_none_lost(snapshot: Snapshot, read_again: Callable[[Storage], Header]) -> None:
    """Refuse a store that has shards of a segment which has no file any more.

    Args:
        snapshot: the store.
        read_again: reads its header again: the segment may have been appended just now.

    Raises:
        DamageError: so it is.
    """
    storage, header = snapshot.storage, snapshot.header
    for family in snapshot.families():
        if kind_of(family.path).is_laid_out and _has_more(storage, family.path, header):
            if _has_more(storage, family.path, read_again(storage)):
                raise DamageError(lost_segment(storage, len(header.appended) + 1))
            return


def _has_more(storage: Storage, path: str, header: Header) -> bool:
    """Whether a family has manifests of segments that ``header`` does not know, or records of their shards."""
    layout = header.layout
    for name in storage.list(path):
        if (segment_of_manifest(name) or 0) > len(header.appended):
            return True
        numbers = record_of(name)
        if numbers is not None and numbers[0] >= layout.shards and f"{path}/{name}" != GUARD:
            value, _ = read_small(storage, f"{path}/{name}")
            first_row = (value or {}).get("first_row")
            if isinstance(first_row, int) and first_row >= layout.rows:
                return True
    return False


def _is_segment(storage: Storage, number: int, value: Value) -> bool:
    try:
        parse_segment(storage, number, value)
    except DamageError:
        return False
    return True


def check_guard(snapshot: Snapshot) -> Iterator[Finding]:
    """What stops programs that do not know of segments."""
    if not snapshot.header.appended or is_guarded(snapshot.storage):
        return
    try:
        snapshot.storage.read(GUARD)
        kind, problem = Kind.DAMAGED, "its bytes are not those that stop programs of format version 1"
    except StoreMissingError:
        kind, problem = Kind.MISSING, "is missing, and stops programs of format version 1"
    yield Finding(kind=kind, family=CORPUS, shard=None, file=GUARD, problem=problem)


def check_all_rejects(snapshot: Snapshot, before: Callable[[str], bool]) -> Iterator[Finding]:
    """The files of refused rows, and what else lies beside them."""
    segments = snapshot.header.segments
    for segment in segments:
        file, number = segment.rejects_file, segment.segment or None
        if before(file) and (problem := check_rejects(snapshot.storage, segment)) is not None:
            yield Finding(kind=problem.kind, family=REJECTS, shard=number, file=file, problem=problem.text)
    known = {segment.rejects_file for segment in segments}
    for folder in (REJECTS, SEGMENTS):
        for name in snapshot.storage.list(folder):
            if f"{folder}/{name}" not in known and (folder == REJECTS or segment_of(name) is None):
                problem_ = "the header names another" if folder == REJECTS else "no segment names it"
                yield Finding(kind=Kind.LITTER, family=folder, shard=None, file=f"{folder}/{name}", problem=problem_)
