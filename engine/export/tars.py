"""Exported rows → a WebDataset tar, by webdataset's own writer. The same rows give the same bytes.

A sample is a row, and its key the number of the row, so that no id breaks it: webdataset cuts keys at the first dot. It
has the members ``.txt``, ``.json`` (the id and all other columns), ``.cls`` where the row has gold, and
``.logits.npy``, (classes,) float16, unless labelling failed; of several label sets, ``.logits_NAME.npy``.
"""

import io
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.export.rows import LABEL, LOGITS, PREDICTION, ROW, TEXT, ExportedColumns

KEY_DIGITS = 9


def write_tar(batches: Iterable[pa.RecordBatch], columns: ExportedColumns, classes: list[str], path: Path) -> None:
    """Write ``batches`` of `ExportedRows` into a new file."""
    from webdataset import TarWriter

    with path.open("wb") as file, TarWriter(file, encoder=False, mtime=0, user="", group="", mode=0o644) as tar:
        for batch in batches:
            for sample in _samples(batch, columns, classes):
                tar.write(sample)


def _samples(batch: pa.RecordBatch, columns: ExportedColumns, classes: list[str]) -> Iterator[dict[str, Any]]:
    logits = {of[LOGITS]: _Npy(batch.column(of[LOGITS]), len(classes)) for of in columns.label_sets.values()}
    named = {of[PREDICTION]: columns.class_name(label_set) for label_set, of in columns.label_sets.items()}
    values = {name: batch.column(name).to_pylist() for name in batch.schema.names if name not in logits}
    for place, row in enumerate(values[ROW]):
        said = {name: _said(some[place]) for name, some in values.items() if name != TEXT}
        sample: dict[str, Any] = {"__key__": f"{row:0{KEY_DIGITS}d}", "txt": values[TEXT][place].encode()}
        if (label := said[LABEL]) is not None:
            sample["cls"], said[LABEL] = str(label).encode(), classes[label]
        for prediction, name in named.items():
            said[name] = None if (index := said[prediction]) is None else classes[index]
        for name, npy in logits.items():
            if (data := npy.of(place)) is not None:
                sample[f"{name}.npy"] = data
        sample["json"] = json.dumps(said, ensure_ascii=False).encode()
        yield sample


def _said(value: Any) -> Any:
    """``value`` as JSON can say it: a number that is not finite is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Npy:
    """Arrays of one shape as numpy's files, of which only the numbers differ.

    Args:
        array: (rows,) lists of float16.
        width: of each list.
    """

    def __init__(self, array: pa.Array, width: int) -> None:
        file = io.BytesIO()
        np.save(file, np.zeros(width, np.float16))
        self._head = file.getvalue()[: -2 * width]
        self._is_there = array.is_valid().to_numpy(zero_copy_only=False)
        self._places = np.cumsum(self._is_there) - 1
        self._values: npt.NDArray[np.float16] = array.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)

    def of(self, place: int) -> bytes | None:
        """The file of the list at ``place``; None if that is null."""
        return self._head + self._values[self._places[place]].tobytes() if self._is_there[place] else None
