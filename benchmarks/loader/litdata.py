"""litdata: rows → binary chunks → shuffled batches."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loader.data import BATCH_ROWS, CLASSES, Batch, Data, batches, collating

_FORMS = ("numpy", "bytes")
_CHUNK = "16MB"
_ROW = np.dtype("<i8")


def write(data: Data, place: Path) -> None:
    """The same rows in each form, in folders of their own."""
    writer_module: Any = import_module("litdata.streaming.writer")
    for form in _FORMS:
        folder = place / form
        folder.mkdir(parents=True)
        writer = writer_module.BinaryWriter(str(folder), chunk_bytes=_CHUNK)
        for row, ids, logits in data.each():
            writer[row] = (
                {"row": row, "input_ids": ids, "logits": logits}
                if form == "numpy"
                else _ROW.type(row).tobytes() + logits.tobytes() + ids.tobytes()
            )
        writer.done()
        writer.merge()


def epochs(place: Path, form: str, workers: int) -> Callable[[int], Iterator[Batch]]:
    """Epoch → its batches. The loader counts the epochs itself."""
    litdata: Any = import_module("litdata")
    kind, how = form.split(", ")
    to_batch = _of_numpy if kind == "numpy" else _of_bytes
    rows = litdata.StreamingDataset(str(place / kind), shuffle=True, seed=0)
    if how == "iter":
        return lambda _: map(to_batch, batches(rows))
    loader = litdata.StreamingDataLoader(
        rows,
        batch_size=BATCH_ROWS,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collating(to_batch, workers),
    )
    return lambda _: iter(loader)


def _of_numpy(rows: list[dict[str, Any]]) -> Batch:
    return Batch(
        [row["row"] for row in rows], [row["input_ids"] for row in rows], None, [row["logits"] for row in rows]
    )


def _of_bytes(rows: list[bytes]) -> Batch:
    after = _ROW.itemsize + 2 * CLASSES
    return Batch(
        [int.from_bytes(row[: _ROW.itemsize], "little") for row in rows],
        [np.frombuffer(row, np.uint16, offset=after) for row in rows],
        None,
        [np.frombuffer(row, np.float16, CLASSES, offset=_ROW.itemsize) for row in rows],
    )
