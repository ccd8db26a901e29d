"""MosaicML Streaming: rows → MDS files → shuffled batches."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loader.data import BATCH_ROWS, CLASSES, Batch, Data, batches, collating

_COLUMNS = {
    "ndarray": {"row": "int", "input_ids": "ndarray:uint16", "logits": f"ndarray:float16:{CLASSES}"},
    "bytes": {"row": "int", "both": "bytes"},
}


def write(data: Data, place: Path) -> None:
    """The same rows in each form, in folders of their own."""
    streaming: Any = import_module("streaming")
    for form, columns in _COLUMNS.items():
        with streaming.MDSWriter(out=str(place / form), columns=columns) as writer:
            for row, ids, logits in data.each():
                if form == "ndarray":
                    writer.write({"row": row, "input_ids": ids, "logits": logits})
                else:
                    writer.write({"row": row, "both": logits.tobytes() + ids.tobytes()})


def epochs(place: Path, form: str, workers: int) -> Callable[[int], Iterator[Batch]]:
    """Epoch → its batches. The data set counts the epochs itself."""
    streaming, data = import_module("streaming"), import_module("torch.utils.data")
    kind, how = form.split(", ")
    to_batch = _of_ndarray if kind == "ndarray" else _of_bytes
    streaming.base.util.clean_stale_shared_memory()
    rows: Any = streaming.StreamingDataset(local=str(place / kind), shuffle=True, batch_size=BATCH_ROWS)
    if how == "iter":
        return lambda _: map(to_batch, batches(rows))
    loader = data.DataLoader(
        rows,
        batch_size=BATCH_ROWS,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collating(to_batch, workers),
    )
    return lambda _: iter(loader)


def _of_ndarray(rows: list[dict[str, Any]]) -> Batch:
    return Batch(
        [row["row"] for row in rows], [row["input_ids"] for row in rows], None, [row["logits"] for row in rows]
    )


def _of_bytes(rows: list[dict[str, Any]]) -> Batch:
    return Batch(
        [row["row"] for row in rows],
        [np.frombuffer(row["both"], np.uint16, offset=2 * CLASSES) for row in rows],
        None,
        [np.frombuffer(row["both"], np.float16, CLASSES) for row in rows],
    )
