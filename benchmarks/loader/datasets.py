"""Hugging Face datasets, map-style: rows → Arrow files mapped into memory → shuffled batches."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.loader.contenders import SHARDS
from benchmarks.loader.data import BATCH_ROWS, CLASSES, Batch, Data, collating


def write(data: Data, place: Path) -> None:
    """As ``save_to_disk`` writes it: uncompressed."""
    datasets: Any = import_module("datasets")
    ids = pa.ListArray.from_arrays(pa.array(data.offsets.astype(np.int32)), pa.array(data.ids))
    logits = pa.FixedSizeListArray.from_arrays(pa.array(data.logits.reshape(-1)), CLASSES)
    rows = pa.array(np.arange(len(data.lengths)))
    table = pa.table({"row": rows, "input_ids": ids, "logits": logits})
    datasets.Dataset(table).save_to_disk(place, num_shards=SHARDS)


def epochs(place: Path, form: str, workers: int) -> Callable[[int], Iterator[Batch]]:
    """Epoch → its batches."""
    datasets: Any = import_module("datasets")
    rows, (kind, how) = datasets.load_from_disk(place), form.rsplit(", ", 1)
    if how == "iter":
        return partial(_shuffled, rows, kind.split(", ")[-1], "flatten_indices" in kind)
    loader = _loader(rows.with_format(kind), how, workers)
    return lambda _: iter(loader)


def _shuffled(rows: Any, kind: str, flat: bool, epoch: int) -> Iterator[Batch]:
    """`Dataset.shuffle`, and its own batches."""
    rows = rows.shuffle(seed=epoch, keep_in_memory=True)
    if flat:
        rows = rows.flatten_indices(keep_in_memory=True)
    to_batch = of_table if kind == "arrow" else of_columns
    return map(to_batch, rows.with_format(kind).iter(batch_size=BATCH_ROWS))


def _loader(rows: Any, how: str, workers: int) -> Any:
    """A DataLoader, which stays for all epochs, as do its workers."""
    data: Any = import_module("torch.utils.data")
    sampler = data.BatchSampler(data.RandomSampler(rows), BATCH_ROWS, drop_last=False)
    keep = {"num_workers": workers, "persistent_workers": workers > 0}
    if how == "DataLoader":
        return data.DataLoader(rows, batch_sampler=sampler, collate_fn=collating(of_rows, workers), **keep)
    return data.DataLoader(rows, sampler=sampler, batch_size=None, collate_fn=of_table, **keep)


def of_table(table: pa.Table) -> Batch:
    """An Arrow table → a batch. Copies nothing if the table has one chunk."""
    ids, logits = (table.column(name).combine_chunks() for name in ("input_ids", "logits"))
    offsets = ids.offsets.to_numpy()
    return Batch(
        table.column("row").to_numpy(),
        ids.values.to_numpy()[offsets[0] : offsets[-1]],
        offsets,
        logits.flatten().to_numpy().reshape(len(logits), CLASSES),
    )


def of_columns(columns: dict[str, Any]) -> Batch:
    """Columns → a batch."""
    return Batch(columns["row"], columns["input_ids"], None, columns["logits"])


def of_rows(rows: list[dict[str, Any]]) -> Batch:
    """Rows → a batch."""
    return Batch(
        [int(row["row"]) for row in rows],
        [np.asarray(row["input_ids"]) for row in rows],
        None,
        [np.asarray(row["logits"]) for row in rows],
    )
