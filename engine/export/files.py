"""The splits of an export → its files, which rows each has, and what is known of one that is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from engine.export.config import HUGGING_FACE, ROWS_PER_FILE, WEBDATASET, ExportConfig
from engine.export.splits import Split
from store.rows.row_set import RowSet
from store.storage.file_hash import sha256_of

_UNSPLIT = {HUGGING_FACE: "train"}  # which load_dataset expects of a data set that is not split
_ROWS = "rows"


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file of an export, before it is written.

    Attributes:
        name: its path from the folder.
        split: the name of the split that it belongs to, as files are called.
        rows: those of the split.
        start: number of the first row of the file among these.
        stop: that behind its last one.
    """

    name: str
    split: str
    rows: RowSet
    start: int
    stop: int

    @property
    def count(self) -> int:
        """How many rows it has."""
        return self.stop - self.start


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What cards say of a file that is written.

    Attributes:
        bytes: of the file.
        sha256: of the file.
        unpacked: of a Parquet file, bytes of its columns without compression; else 0.
    """

    bytes: int
    sha256: str
    unpacked: int


Written = tuple[ExportedFile, FileFacts]
"""A file that is written, and what is known of it."""


def facts_of(path: Path) -> FileFacts:
    """Read the facts of the file ``path``."""
    unpacked = 0
    if path.suffix == ".parquet":
        metadata = pq.read_metadata(path)
        unpacked = sum(int(metadata.row_group(number).total_byte_size) for number in range(metadata.num_row_groups))
    return FileFacts(bytes=path.stat().st_size, sha256=sha256_of(path), unpacked=unpacked)


def planned_files(config: ExportConfig, splits: Sequence[Split]) -> list[ExportedFile]:
    """The files, in order, as many as are needed, and of a split as large as each other but for a row."""
    most = config.rows_per_file or ROWS_PER_FILE[config.format]
    files = []
    for split in splits:
        rows, name = len(split.rows), split.name or _UNSPLIT.get(config.format, _ROWS)
        count = -(-rows // most)
        for number in range(count):
            path = _path(config.format, name, number, count)
            start, stop = number * rows // count, (number + 1) * rows // count
            files.append(ExportedFile(name=path, split=name, rows=split.rows, start=start, stop=stop))
    return files


def _path(format_: str, split: str, number: int, count: int) -> str:
    if format_ == WEBDATASET:
        return f"{split}-{number:05d}.tar"
    return f"{'data/' if format_ == HUGGING_FACE else ''}{split}-{number:05d}-of-{count:05d}.parquet"
