"""What is exported, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.errors import InputError
from store.storage import Storage

PARQUET, WEBDATASET, HUGGING_FACE = "parquet", "webdataset", "hf"
FORMATS = (PARQUET, WEBDATASET, HUGGING_FACE)
ROWS_PER_FILE = {PARQUET: 100_000, WEBDATASET: 10_000, HUGGING_FACE: 100_000}


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """What to export.

    Attributes:
        store: its location, or a `Storage`.
        format: ``parquet``, ``webdataset`` or ``hf``.
        out: the folder that is made, or its URL.
        labels: names of complete label sets; the only one if empty.
        select: a selection, whose rows alone come; all rows if None.
        splits: by name, its share of the rows, or the selection that it is; all shares or all selections. One split of
            all rows if empty.
        rows_per_file: at most; `ROWS_PER_FILE` of the format if None.
        push: id of a data set on the Hugging Face Hub, to upload the folder to; with ``hf`` alone.

    Raises:
        InputError: a value is out of its range.
    """

    store: str | Storage
    format: str
    out: str
    labels: tuple[str, ...] = ()
    select: str | None = None
    splits: Mapping[str, float | str] = field(default_factory=lambda: MappingProxyType({}))
    rows_per_file: int | None = None
    push: str | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"the format is {self.format!r}; it must be one of {', '.join(FORMATS)}")
        if self.rows_per_file is not None and self.rows_per_file < 1:
            raise InputError(f"--rows-per-file is {self.rows_per_file}; it must be at least 1")
        if self.push is not None and self.format != HUGGING_FACE:
            raise InputError(f"--push uploads a Hugging Face data set; give --to {HUGGING_FACE} with it")
        if len(set(self.labels)) != len(self.labels):
            raise InputError(f"--labels names a label set twice: {', '.join(self.labels)}")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export came to.

    Attributes:
        out: the folder.
        rows: that it has.
        failed: how many of these lack the logits of a label set, since labelling failed.
        left_out: rows of the store, or of the selection, that no split has.
        splits: rows of each, by name.
        files: how many hold rows.
        bytes: of these files.
        written: files that this run wrote; the others were there.
        seconds: that it took.
        pushed: address of the data set on the Hub; None if it was not uploaded.
    """

    out: str
    rows: int
    failed: int
    left_out: int
    splits: dict[str, int]
    files: int
    bytes: int
    written: int
    seconds: float
    pushed: str | None
