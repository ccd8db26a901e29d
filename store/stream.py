"""Store + seed + epoch → batches of arrays, in the order of `store.order`. A plain iterable; knows no torch.

Memory is bounded by one window of rows. Only the asked columns are read. Rows whose labelling failed are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from store.contents import Contents
from store.errors import StoreMissingError
from store.manifest import Family
from store.order import Rows, epoch_windows
from store.schema import CORPUS, TOKENS, shard_of
from store.shard import BATCH_ROWS, damage_named, open_shard, read_shard

Batch = dict[str, Any]
_OPEN_SHARDS = 64


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """What to stream and in which order.

    Attributes:
        labels: name of the label set; None where no label column is asked.
        columns: of the corpus (``text``, ``label``, …) and of the label set (``logits``, ``confidence``, …).
        encoding: name of a kept encoding; adds ``input_ids`` (flat) and ``offsets`` (rows + 1).
        batch_size: rows a batch; the last one of an epoch may be shorter.
        seed: of the order.
        epoch: from 0.
        step: batches of the epoch to pass over, for a resume.
    """

    labels: str | None = None
    columns: tuple[str, ...] = ("logits",)
    encoding: str | None = None
    batch_size: int = 64
    seed: int = 0
    epoch: int = 0
    step: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; it must be at least 1")


class Stream:
    """An iterable of dicts of numpy arrays. Always has ``row``, (rows,) int64.

    ``logits`` is (rows, classes) float16 as stored; texts and other strings come as arrays of objects; a ``label`` that
    is null is -1.
    """

    def __init__(self, contents: Contents, config: StreamConfig) -> None:
        self.config = config
        self._contents = contents
        self._step = config.step
        corpus_names = contents.schema(CORPUS).names
        self._readers = [_FamilyReader(contents, CORPUS, [name for name in config.columns if name in corpus_names])]
        if config.labels is not None:
            path = contents.label_set(contents.one_label_set(config.labels)).path
            own = [name for name in config.columns if name in contents.schema(path).names and name not in corpus_names]
            self._readers.append(_FamilyReader(contents, path, own))
        if config.encoding is not None:
            self._readers.append(_FamilyReader(contents, f"{TOKENS}/{config.encoding}", ["input_ids"]))
        self._readers = [reader for reader in self._readers if reader.columns]
        known = {name for reader in self._readers for name in reader.columns}
        if unknown := set(config.columns) - known:
            raise StoreMissingError(
                f"no column {', '.join(sorted(unknown))} in {contents.location} (labels: {config.labels})"
            )
        self._excluded = failed_rows(contents, config.labels) if config.labels is not None else None

    @property
    def rows(self) -> int:
        """Rows of one epoch."""
        return self._contents.header.rows - (0 if self._excluded is None else len(self._excluded))

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return -(-self.rows // self.config.batch_size)

    def state(self) -> dict[str, int]:
        """Where the stream is: seed, epoch and the step that comes next."""
        return {"seed": self.config.seed, "epoch": self.config.epoch, "step": self._step}

    def __iter__(self) -> Iterator[Batch]:
        """The batches from ``config.step`` to the end of the epoch."""
        size, config = self.config.batch_size, self.config
        skip = config.step * size
        self._step = config.step
        held: list[Batch] = []
        for members, order in epoch_windows(
            self._contents.header.rows, seed=config.seed, epoch=config.epoch, excluded=self._excluded
        ):
            if skip >= len(order):
                skip -= len(order)
                continue
            window = self._load(members)
            for batch in _cut(window, order[skip:], held, size):
                self._step += 1
                yield batch
            skip = 0
        if held:
            self._step += 1
            yield _join(held)

    def __call__(self) -> Iterator[Batch]:
        """The same: webdataset's pipelines call their first stage."""
        return iter(self)

    def _load(self, members: Rows) -> pa.Table:
        """The window's rows with all columns, in ascending order."""
        table = pa.table({"row": members})
        for reader in self._readers:
            for name, column in reader.read(members).items():
                table = table.append_column(name, column)
        return table.combine_chunks()


def _cut(window: pa.Table, order: Rows, held: list[Batch], size: int) -> Iterator[Batch]:
    """Whole batches of ``order``; what is left stays in ``held``, where the last window's rest came from."""
    start = 0
    while start < len(order):
        need = size - sum(len(part["row"]) for part in held)
        held.append(_arrays(window.take(order[start : start + need])))
        start += need
        if sum(len(part["row"]) for part in held) == size:
            yield _join(held)
            held.clear()


def _arrays(table: pa.Table) -> Batch:
    batch: Batch = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = column.combine_chunks()
        if name == "input_ids":
            offsets = array.offsets.to_numpy()
            batch["input_ids"] = array.values.to_numpy()[offsets[0] : offsets[-1]]
            batch["offsets"] = (offsets - offsets[0]).astype(np.int64)
        elif pa.types.is_fixed_size_list(array.type):
            batch[name] = array.flatten().to_numpy().reshape(len(array), array.type.list_size)
        else:
            if name == "label":
                array = array.fill_null(-1)
            batch[name] = array.to_numpy(zero_copy_only=False)
    return batch


def _join(parts: list[Batch]) -> Batch:
    if len(parts) == 1:
        return dict(parts[0])
    batch = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "offsets"}
    if "offsets" in parts[0]:
        lengths = np.concatenate([np.diff(part["offsets"]) for part in parts])
        batch["offsets"] = np.concatenate([[0], np.cumsum(lengths)])
    return batch


class _FamilyReader:
    """Rows of one family by number, with few shards open at a time."""

    def __init__(self, contents: Contents, path: str, columns: list[str]) -> None:
        self.columns = columns
        self._contents = contents
        self._family: Family = contents.family(path)
        self._records = self._family.records() if columns else {}
        self._open: dict[int, pa.ipc.RecordBatchFileReader] = {}

    def read(self, members: Rows) -> dict[str, pa.ChunkedArray]:
        """Columns of ``members``, which ascend. Rows that are not committed are an error of the caller's."""
        header = self._contents.header
        pieces: list[pa.RecordBatch] = []
        position = 0
        while position < len(members):
            shard = shard_of(int(members[position]), rows=header.rows, shards=header.shards)
            first, stop = self._contents.shard_range(shard)
            end = int(np.searchsorted(members, stop))
            pieces += self._read_shard(shard, members[position:end] - first)
            position = end
        return {name: pa.chunked_array([piece.column(name) for piece in pieces]) for name in self.columns}

    def _read_shard(self, shard: int, local: Rows) -> list[pa.RecordBatch]:
        reader = self._reader(shard)
        numbers = local // BATCH_ROWS
        with damage_named(self._family, self._records[shard]):
            return [
                reader.get_batch(int(number))
                .select(self.columns)
                .take(pa.array(local[numbers == number] - number * BATCH_ROWS))
                for number in np.unique(numbers)
            ]

    def _reader(self, shard: int) -> pa.ipc.RecordBatchFileReader:
        if shard not in self._records:
            raise StoreMissingError(
                f"{self._contents.location}/{self._family.path}: shard {shard} is not committed yet; "
                "run the command that makes it again"
            )
        if shard not in self._open:
            if len(self._open) >= _OPEN_SHARDS:
                self._open.clear()
            self._open[shard] = open_shard(self._family, self._records[shard])
        return self._open[shard]


def failed_rows(contents: Contents, labels: str) -> Rows:
    """Row numbers whose labelling failed, ascending. Reads only shards whose record counts failures."""
    family = contents.label_set(labels)
    failed = [np.empty(0, np.int64)]
    for record in family.records().values():
        if not record.statistics.get("failed"):
            continue
        column = read_shard(family, record).column("failure")
        failed.append(record.first_row + np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)))
    return np.concatenate(failed)
