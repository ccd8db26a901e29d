"""Hugging Face datasets, streaming: the same files as map-style, shuffled by shards and by a buffer."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.loader.contenders import BUFFER_ROWS, SHARDS
from benchmarks.loader.data import BATCH_ROWS, Batch, collating
from benchmarks.loader.datasets import of_columns, of_rows, of_table, write

__all__ = ["epochs", "write"]


def epochs(place: Path, form: str, workers: int) -> Callable[[int], Iterator[Batch]]:
    """Epoch → its batches."""
    datasets: Any = import_module("datasets")
    kind, how = form.split(", ", 1)
    rows = datasets.load_from_disk(place).to_iterable_dataset(num_shards=SHARDS)
    rows = rows.shuffle(seed=0, buffer_size=BUFFER_ROWS).with_format(kind)
    if how == "batch, DataLoader":
        rows = rows.batch(BATCH_ROWS)
    loader = None if how == "iter" else _loader(rows, how, workers)

    def epoch(number: int) -> Iterator[Batch]:
        rows.set_epoch(number)
        if loader is not None:
            return iter(loader)
        return map(of_table if kind == "arrow" else of_columns, rows.iter(batch_size=BATCH_ROWS))

    return epoch


def _loader(rows: Any, how: str, workers: int) -> Any:
    """A DataLoader, which stays for all epochs, as do its workers."""
    data: Any = import_module("torch.utils.data")
    keep = {"num_workers": workers, "persistent_workers": workers > 0}
    if how == "DataLoader":
        return data.DataLoader(rows, batch_size=BATCH_ROWS, collate_fn=collating(of_rows, workers), **keep)
    return data.DataLoader(rows, batch_size=None, collate_fn=_of_list_row, **keep)


def _of_list_row(row: pa.Table) -> Batch:
    """A row that holds a whole batch, in lists → the batch."""
    return of_table(pa.table({name: row.column(name).combine_chunks().flatten() for name in row.column_names}))
