"""A record: the commit of one shard of one family, and the names of its files. Reads and writes nothing."""

import re
from dataclasses import dataclass, field
from typing import Any

_DATA = re.compile(r"([0-9]{5,})-([0-9a-f]{16})\.arrow")
_RECORD = re.compile(r"(\d{5,})(?:\.g([1-9]\d*))?\.json")


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
        computed: of a label shard, how it came about, which its rows do not tell: ``check`` (rows that were computed
            again in fp32, their largest difference and flips), ``splits`` (of batches, after running out of memory),
            ``path`` (how it was computed, where that is not as the card says) and ``centred`` (rows that are stored
            less their largest logit).
    """

    shard: int
    first_row: int
    rows: int
    file: str
    bytes: int
    sha256: str
    statistics: dict[str, Any] = field(default_factory=dict)
    computed: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.shard, self.first_row, self.rows, self.bytes) < 0:
            numbers = (self.shard, self.first_row, self.rows, self.bytes)
            raise ValueError(f"shard, first_row, rows and bytes are {numbers}, and must be whole numbers from 0")
        if self.file != data_name(self.shard, self.sha256):
            raise ValueError(f"file is {self.file!r}, and must be {data_name(self.shard, self.sha256)!r}")


def record_name(shard: int, generation: int = 0) -> str:
    """File name of a shard's record."""
    return f"{shard:05d}.g{generation}.json" if generation else f"{shard:05d}.json"


def record_of(name: str) -> tuple[int, int] | None:
    """Shard and generation of the record called ``name``; None if it is no record. Inverse of `record_name`."""
    match = _RECORD.fullmatch(name)
    if match is None:
        return None
    found = int(match[1]), int(match[2] or 0)
    return found if record_name(*found) == name else None


def data_name(shard: int, sha256: str) -> str:
    """File name of a shard's data: its number and the beginning of its hash."""
    return f"{shard:05d}-{sha256[:16]}.arrow"


def shard_of_data(name: str) -> int | None:
    """Shard of the data file called ``name``; None if it is no data file. Inverse of `data_name`."""
    match = _DATA.fullmatch(name)
    return int(match[1]) if match is not None and name == data_name(int(match[1]), match[2]) else None
