"""The segments of a store: the rows that it was made with, and those that were appended since.

What was appended at once is one file, ``segments/NNNNN.json``, created once for good, as ``store.json`` was: nothing
that is there changes when rows are appended. This module knows small files and no rows.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pyarrow as pa

from store.errors import DamageError
from store.format.decode import decode
from store.format.json_file import create, freeze, frozen, to_json
from store.format.names import APPENDED_VERSION, CORPUS, REJECTS, SEGMENTS
from store.storage import Storage

MARK, MARK_SIMILARITY = "near_duplicate_of", "near_duplicate_similarity"
MARKS = {MARK: "int64", MARK_SIMILARITY: "double"}
"""Kept columns that no input has, of segments whose rows are marked: the row that one is like, and how much."""
_NAME = re.compile(r"(\d{5,})(?:\.copy)?\.json")
GUARD = f"{CORPUS}/99999999999999.g1.json"
"""A record of no shard, which a program that knows format version 1 alone reads, and cannot: so it stops."""
_GUARD = to_json(
    {
        "shard": 99999999999999,
        "first_row": 0,
        "rows": 0,
        "file": "",
        "bytes": 0,
        "sha256": "",
        "statistics": {},
        "computed": {},
        "rows were appended (format version 2): update this program": True,
    }
)


class InputEntry(TypedDict):
    """A file of input: its path as given, size in bytes and sha256, its rows, how many were refused, its reading.

    ``near_duplicates`` is the similarity from which its rows are marked; all files of a segment have the same.
    """

    path: str
    size: int
    sha256: str
    rows: int
    rejected: int
    columns: NotRequired[dict[str, str | None]]
    options: NotRequired[dict[str, Any]]
    near_duplicates: NotRequired[float]


class RejectsEntry(TypedDict):
    """The file of refused rows: its name, rows, size in bytes and sha256."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SegmentRecord:
    """Rows that were read at once, and where they are from: ``segments/NNNNN.json``, or what ``store.json`` says.

    Attributes:
        format_version: 2 of rows that were appended.
        segment: its number; 0 is what the store was made with.
        first_row: number of its first row.
        rows: how many it has.
        first_shard: number of its first shard.
        shards: how many it has; `store.format.layout.Segment` cuts the rows into them.
        extras: its kept input columns: name → Arrow type in words.
        inputs: one entry a file of input.
        rejects: the file of refused rows.
    """

    format_version: int = APPENDED_VERSION
    segment: int
    first_row: int
    rows: int
    first_shard: int
    shards: int
    extras: dict[str, str]
    inputs: list[InputEntry]
    rejects: RejectsEntry

    def __post_init__(self) -> None:
        if min(self.segment, self.first_row, self.rows, self.first_shard) < 0 or self.shards < 1:
            raise ValueError(f"it has {self.rows} rows from {self.first_row}, in {self.shards} shards")
        check_extras(self.extras)

    @property
    def rejects_file(self) -> str:
        """Where the file of refused rows is, from the store's root."""
        return f"{SEGMENTS if self.segment else REJECTS}/{self.rejects['file']}"

    @property
    def near_duplicates(self) -> float | None:
        """The similarity from which rows are marked as nearly the same as an earlier one; None if none is."""
        return next((entry.get("near_duplicates") for entry in self.inputs), None)

    @property
    def made(self) -> dict[str, str]:
        """Those of `extras` that are in no input: `MARKS`, where rows are marked."""
        return {} if self.near_duplicates is None else MARKS

    @property
    def stop(self) -> tuple[int, int]:
        """The row and the shard behind its last ones."""
        return self.first_row + self.rows, self.first_shard + self.shards


def check_extras(extras: dict[str, str]) -> None:
    """Refuse types that Arrow does not have.

    Raises:
        ValueError: there is one.
    """
    for name, alias in extras.items():
        try:
            pa.type_for_alias(alias)
        except ValueError:
            raise ValueError(f"extras.{name} is {alias!r}, which is no type of Arrow") from None


def segment_name(number: int) -> str:
    """Where the file of a segment that was appended is, from the store's root."""
    return f"{SEGMENTS}/{number:05d}.json"


def segment_of(name: str) -> int | None:
    """The segment whose file, or its copy, is called ``name`` in its folder; None if it is neither."""
    match = _NAME.fullmatch(name)
    number = int(match[1]) if match else 0
    return number if number and f"{number:05d}" == (match[1] if match else "") else None


def begun_segments(storage: Storage) -> list[int]:
    """Numbers of the segments that have a file or its copy, also a torn one; ascending."""
    numbers = {segment_of(name) for name in storage.list(SEGMENTS)}
    return sorted(number for number in numbers if number is not None)


def read_segments(storage: Storage) -> list[SegmentRecord]:
    """All segments that were appended, in order.

    Raises:
        DamageError: one is damaged, or lost while a later one is there.
    """
    found: list[SegmentRecord] = []
    begun = begun_segments(storage)
    for number in range(1, max(begun, default=0) + 1):
        value = frozen(storage, segment_name(number))
        if value is None and number < begun[-1]:
            raise DamageError(lost_segment(storage, number))
        if value is not None:  # else it is being created
            found.append(parse_segment(storage, number, value))
    return found


def lost_segment(storage: Storage, number: int) -> str:
    """An error: the file of a segment is gone, and so is its copy."""
    return (
        f"{storage.location}/{segment_name(number)} is lost or damaged, and so is its copy; restore one of them from a "
        "backup"
    )


def parse_segment(storage: Storage, number: int, value: dict[str, Any]) -> SegmentRecord:
    """The segment ``number`` that ``value`` is.

    Raises:
        DamageError: it is none, or another one.
    """
    place = f"{storage.location}/{segment_name(number)}"
    segment = decode(SegmentRecord, value, place=place)
    if (segment.segment, segment.format_version) != (number, APPENDED_VERSION):
        said = f"segment {segment.segment} of format version {segment.format_version}"
        raise DamageError(f"{place} is damaged: it is that of {said}")
    return segment


def check_sequence(storage: Storage, segments: Sequence[SegmentRecord]) -> None:
    """Refuse segments that do not follow each other, or that keep one column with two types.

    Raises:
        DamageError: two do not.
    """
    types: dict[str, str] = {}
    row, shard = 0, 0
    for segment in segments:
        place = f"{storage.location}/{segment_name(segment.segment)}"
        if (segment.first_row, segment.first_shard) != (row, shard):
            begin = f"row {segment.first_row} and shard {segment.first_shard}"
            raise DamageError(f"{place} is damaged: it begins with {begin}, and row {row} and shard {shard} come next")
        for name, alias in segment.extras.items():
            if types.setdefault(name, alias) != alias:
                raise DamageError(f"{place} is damaged: it keeps {name!r} as {alias}, and another as {types[name]}")
        row, shard = segment.stop


def append_segment(storage: Storage, segment: SegmentRecord) -> bool:
    """Create the file of ``segment`` and its copy, once; False if another one has its number.

    It is True as well if the same segment is there: the same files were appended by another run.
    """
    if not create(storage, GUARD, _GUARD) and not is_guarded(storage):
        restore_guard(storage)
    value = dataclasses.asdict(segment)
    return freeze(storage, segment_name(segment.segment), value) == value


def is_guarded(storage: Storage) -> bool:
    """Whether `GUARD` is there, whole."""
    folder, _, name = GUARD.rpartition("/")
    return name in storage.list(folder) and storage.read(GUARD).to_pybytes() == _GUARD


def restore_guard(storage: Storage) -> None:
    """Write `GUARD` again."""
    storage.put(GUARD, _GUARD)
