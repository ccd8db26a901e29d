"""The header of a store, ``store.json``: what was fixed when it was made."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pyarrow as pa

from store.errors import DamageError, FormatError, StoreExistsError, StoreMissingError
from store.format.decode import decode
from store.format.json_file import copy_name, freeze, from_json, frozen, is_there
from store.format.layout import Layout
from store.format.names import FORMAT_VERSION
from store.storage import Storage

HEADER = "store.json"


class InputEntry(TypedDict):
    """A file of input: its path as given, size in bytes and sha256, its rows, how many were refused, its reading."""

    path: str
    size: int
    sha256: str
    rows: int
    rejected: int
    columns: NotRequired[dict[str, str | None]]
    options: NotRequired[dict[str, Any]]


class RejectsEntry(TypedDict):
    """The file of refused rows: its name, rows, size in bytes and sha256."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """``store.json``: what was frozen when the inputs had been read for the first time.

    Attributes:
        format_version: of the layout.
        classes: class names; a label is an index into them.
        rows: rows of the corpus.
        shards: shards of every family; `layout` cuts the rows into them.
        extras: kept input columns: name → Arrow type in words.
        inputs: one entry a file of input.
        rejects: the file of refused rows.
    """

    format_version: int = FORMAT_VERSION
    classes: list[str]
    rows: int
    shards: int
    extras: dict[str, str]
    inputs: list[InputEntry]
    rejects: RejectsEntry

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes is {self.classes}, and must be one name or more, each once")
        if self.rows < 0 or self.shards < 1:
            raise ValueError(f"it has {self.rows} rows in {self.shards} shards")
        for name, alias in self.extras.items():
            try:
                pa.type_for_alias(alias)
            except ValueError:
                raise ValueError(f"extras.{name} is {alias!r}, which is no type of Arrow") from None

    @property
    def layout(self) -> Layout:
        """Which rows are in which shard."""
        return Layout.of((self.rows, self.shards))


def read_header(storage: Storage) -> Header:
    """The header of the store at ``storage``.

    Raises:
        StoreMissingError: there is no store.
        FormatError: it has a format that this program does not know.
        DamageError: it is not JSON, or fields are missing, unknown or of another type.
    """
    try:
        return parse_header(storage, frozen(storage, HEADER) or from_json(storage, HEADER))
    except StoreMissingError:
        raise StoreMissingError(
            f"{storage.location} is not a store: it has no {HEADER}. `engine label INPUT… --store …` makes one"
        ) from None


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


def create_header(storage: Storage, header: Header) -> Header:
    """Freeze ``header`` as the store's; the header that holds, where an equal one was first.

    Raises:
        StoreExistsError: the first one is different.
    """
    freeze(storage, HEADER, dataclasses.asdict(header))
    first = read_header(storage)
    if first != header:
        raise StoreExistsError(f"{storage.location}: another run made this store from other inputs; use another folder")
    return first
