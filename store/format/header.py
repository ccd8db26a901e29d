"""The header of a store, ``store.json``: what was fixed when it was made."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from typing import Any

from store.errors import DamageError, FormatError, StoreExistsError, StoreMissingError
from store.format.decode import NOT_STORED, decode
from store.format.json_file import copy_name, freeze, from_json, frozen, is_there
from store.format.layout import Layout
from store.format.names import APPENDED_VERSION, FORMAT_VERSION, REJECTS
from store.format.run_log import RUNS, run_at_work
from store.format.segments import (
    InputEntry,
    RejectsEntry,
    SegmentRecord,
    check_extras,
    check_sequence,
    read_segments,
)
from store.storage import Storage
from store.storage.base import TEMPORARY
from store.storage.near_stores import near_stores

HEADER = "store.json"
_OF_A_MODEL = {"config.json", "adapter_config.json"}
_BEFORE_HEADER = (TEMPORARY, RUNS, REJECTS, "lost+found")
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Header:
    """``store.json``: what was frozen when the inputs had been read for the first time; and what was appended since.

    Attributes:
        format_version: of the layout.
        classes: class names; a label is an index into them.
        rows: rows of the corpus, without those that were appended.
        shards: shards of every family for these; `layout` cuts the rows into them.
        extras: kept input columns of these: name → Arrow type in words.
        inputs: one entry a file of input, of these.
        rejects: the file of refused rows, of these.
        appended: the segments that were appended, in order. Not in the file: each has one of its own.
    """

    format_version: int = FORMAT_VERSION
    classes: list[str]
    rows: int
    shards: int
    extras: dict[str, str]
    inputs: list[InputEntry]
    rejects: RejectsEntry
    appended: list[SegmentRecord] = field(default_factory=list, metadata=NOT_STORED)

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes is {self.classes}, and must be one name or more, each once")
        if self.rows < 0 or self.shards < 1:
            raise ValueError(f"it has {self.rows} rows in {self.shards} shards")
        check_extras(self.extras)

    @property
    def layout(self) -> Layout:
        """Which rows are in which shard."""
        return Layout.of((self.rows, self.shards), *((one.rows, one.shards) for one in self.appended))

    @property
    def segments(self) -> list[SegmentRecord]:
        """All of them: what the store was made with, and what was appended, in order."""
        first = SegmentRecord(
            format_version=self.format_version,
            segment=0,
            first_row=0,
            rows=self.rows,
            first_shard=0,
            shards=self.shards,
            extras=self.extras,
            inputs=self.inputs,
            rejects=self.rejects,
        )
        return [first, *self.appended]

    @property
    def kept(self) -> dict[str, str]:
        """Kept input columns of all segments: name → Arrow type in words. Null in rows whose segment lacks one."""
        return {name: alias for segment in self.segments for name, alias in segment.extras.items()}

    @property
    def rejected(self) -> int:
        """Input rows that were refused, of all segments."""
        return sum(segment.rejects["rows"] for segment in self.segments)

    @property
    def near_duplicates(self) -> float | None:
        """The similarity from which the last rows are marked as nearly the same as earlier ones; None if none is."""
        return self.segments[-1].near_duplicates

    @property
    def version(self) -> int:
        """The format version of the store as a whole."""
        return APPENDED_VERSION if self.appended else self.format_version

    def as_of(self, rows: int) -> "Header":
        """The header when the store had ``rows`` rows.

        Raises:
            ValueError: it never had so many.
        """
        ends = [segment.stop[0] for segment in self.segments]
        if rows not in ends:
            raise ValueError(f"the store never had {rows:,} rows; it had {', '.join(f'{end:,}' for end in ends)}")
        return dataclasses.replace(self, appended=self.appended[: ends.index(rows)])


def read_header(storage: Storage) -> Header:
    """The header of the store at ``storage``, with the segments that were appended.

    Raises:
        StoreMissingError: there is no store.
        FormatError: it has a format that this program does not know.
        DamageError: it is not JSON, or fields are missing, unknown or of another type; or so is a segment's file.
    """
    header = _read_first(storage)
    return with_segments(storage, header, read_segments(storage))


def _read_first(storage: Storage) -> Header:
    try:
        return parse_header(storage, frozen(storage, HEADER) or from_json(storage, HEADER))
    except StoreMissingError:
        if at_work := run_at_work(storage):
            raise StoreMissingError(f"{storage.location} is not a store yet{at_work}") from None
        raise StoreMissingError(not_a_store(storage)) from None


def not_a_store(storage: Storage) -> str:
    """A message: there is no store at ``storage``, what there is, and what to do."""
    if model := a_model(storage):
        return model
    near = "" if storage.address is None else near_stores(storage.location, header=HEADER)
    return (
        f"{storage.location} is not a store: it has no {HEADER}{near}. `engine label INPUT… --store …` makes one, when "
        "it has loaded its teacher"
    )


def a_model(storage: Storage) -> str | None:
    """A message, where a store is needed: a model is at ``storage``, and what takes one; None if there is none."""
    if not _OF_A_MODEL & set(storage.list("")):
        return None
    place = shlex.quote(storage.location)
    return (
        f"{storage.location} is a model, and a store is needed. `engine eval {place} INPUT` says how good it is, "
        f"`engine predict {place} INPUT` answers, `engine export {place} --to onnx --out DIR` writes it for others, "
        f"and `engine label INPUT --store STORE --teacher {place}` makes a store of its labels"
    )


def with_segments(storage: Storage, header: Header, appended: list[SegmentRecord]) -> Header:
    """``header``, with the segments that were appended.

    Raises:
        DamageError: they do not follow it and each other.
    """
    if not appended:
        return header
    grown = dataclasses.replace(header, appended=appended)
    check_sequence(storage, grown.segments)
    return grown


def parse_header(storage: Storage, raw: dict[str, Any]) -> Header:
    """The header that ``raw`` is.

    Raises:
        FormatError: it has a format that this program does not know.
        DamageError: fields are missing, unknown or of another type.
    """
    version, place = raw.get("format_version"), f"{storage.location}/{HEADER}"
    if version is None:
        raise DamageError(f"{place} is damaged: it says no format version")
    if version != FORMAT_VERSION:
        raise FormatError(
            f"{storage.location} has format version {version}, and this program knows {FORMAT_VERSION}; update it"
        )
    return decode(Header, raw, place=place)


def is_store(storage: Storage) -> bool:
    """Whether the header of a store is at ``storage``."""
    return any(is_there(storage, name) for name in (HEADER, copy_name(HEADER)))


def check_free(storage: Storage) -> None:
    """Refuse a place for a new store that has other files in it than those of a run that was stopped before its header.

    Hidden files, as of a file manager, do not count.

    Raises:
        StoreExistsError: it has.
    """
    others = [name for name in storage.list("") if name not in _BEFORE_HEADER and not name.startswith(".")]
    if others and not is_store(storage):
        if model := a_model(storage):
            raise StoreExistsError(model)
        some = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        raise StoreExistsError(
            f"{storage.location} is no store, and not empty: it has {some}; name a folder that is new or empty"
        )


def create_header(storage: Storage, header: Header) -> Header:
    """Freeze ``header`` as the store's; the header that holds, where an equal one was first.

    Raises:
        StoreExistsError: the first one is different.
    """
    first = dataclasses.replace(header, appended=[])
    freeze(storage, HEADER, {name: value for name, value in dataclasses.asdict(first).items() if name != "appended"})
    if _read_first(storage) != first:
        raise StoreExistsError(f"{storage.location}: another run made this store from other inputs; use another folder")
    return header
