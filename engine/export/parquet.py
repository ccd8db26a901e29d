"""Exported rows → a Parquet file, that bare DuckDB, pyarrow and pandas read. The same rows give the same bytes."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.export.rows import LABEL, LOGITS, PREDICTION, ExportedRows

_GROUP_ROWS, _GROUP_BYTES = 16_384, 64 << 20
CLASSES = "classes"


def write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    """Write ``batches`` of ``schema`` into a new file, in row groups of bounded size."""
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in _groups(batches):
            table = pa.Table.from_batches(group, schema=schema)
            writer.write_table(table, row_group_size=max(1, table.num_rows))


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield held
            held, rows, size = [], 0, 0
    if held:
        yield held


class NamedClasses:
    """The rows as people query them: names for ``label`` and beside each ``prediction``, and a column a logit.

    ``logit_positive`` is the logit of the class ``positive``, in FLOAT16; with several label sets the name of one
    stands behind it, as behind its other columns.

    Args:
        rows: what is exported.
        classes: names, in the order of the logits.

    Attributes:
        schema: of the batches.
    """

    def __init__(self, rows: ExportedRows, classes: list[str]) -> None:
        self._names = pa.array(classes, pa.string())
        self._shown: dict[str, list[pa.Field]] = {LABEL: [pa.field(LABEL, pa.string())]}
        for label_set, columns in rows.columns.label_sets.items():
            logits = rows.columns.logit_names(label_set, classes)
            self._shown[columns[LOGITS]] = [pa.field(name, pa.float16()) for name in logits]
            prediction = columns[PREDICTION]
            named = pa.field(rows.columns.class_name(label_set), pa.string())
            self._shown[prediction] = [rows.schema.field(prediction), named]
        fields = [shown for field in rows.schema for shown in self._shown.get(field.name, [field])]
        self.schema = pa.schema(fields, metadata={CLASSES: json.dumps(classes, ensure_ascii=False)})

    def of(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """``batches`` of `ExportedRows`, so."""
        for batch in batches:
            arrays = [
                shown
                for field, array in zip(batch.schema, batch.columns, strict=True)
                for shown in self._arrays(field.name, array)
            ]
            yield pa.record_batch(arrays, schema=self.schema)

    def _arrays(self, name: str, array: pa.Array) -> list[pa.Array]:
        if name == LABEL:
            return [self._names.take(array)]
        if pa.types.is_list(array.type):
            return _columns_of(array, len(self._names))
        return [array, self._names.take(array)] if name in self._shown else [array]


def _columns_of(lists: pa.Array, width: int) -> list[pa.Array]:
    """Lists of one length, or null, as a column for each of their places."""
    is_there = lists.is_valid().to_numpy(zero_copy_only=False)
    values = np.zeros((len(lists), width), np.float16)
    values[is_there] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return [pa.array(np.ascontiguousarray(values[:, place]), mask=~is_there) for place in range(width)]
