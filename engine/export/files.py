"""The splits of an export → its files, and which rows each has."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.export.config import HUGGING_FACE, ROWS_PER_FILE, WEBDATASET, ExportConfig
from engine.export.splits import Split
from store.rows.row_set import RowSet

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
