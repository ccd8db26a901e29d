"""The columns of an export as Hugging Face's library datasets knows them, with ClassLabel for classes.

In Parquet they stand in the metadata of the schema, in a card in YAML.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from engine.export.rows import LABEL, PREDICTION, ExportedRows

_DTYPES = {"double": "float64", "float": "float32", "halffloat": "float16"}


class ClassLabels:
    """The rows with ``label`` and each ``prediction`` as ClassLabel.

    Args:
        rows: what is exported.
        classes: names, in the order of the logits.

    Attributes:
        schema: of the batches.
    """

    def __init__(self, rows: ExportedRows, classes: list[str]) -> None:
        self._classes = classes
        self._labels = {LABEL, *(columns[PREDICTION] for columns in rows.columns.label_sets.values())}
        fields = [field.with_type(pa.int64()) if field.name in self._labels else field for field in rows.schema]
        info = {"info": {"features": {field.name: self._feature(field) for field in fields}}}
        self.schema = pa.schema(fields, metadata={"huggingface": json.dumps(info, ensure_ascii=False)})

    def of(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """``batches`` of `ExportedRows`, with these types."""
        for batch in batches:
            arrays = [array.cast(field.type) for array, field in zip(batch.columns, self.schema, strict=True)]
            yield pa.record_batch(arrays, schema=self.schema)

    def _feature(self, field: pa.Field) -> dict[str, Any]:
        if field.name in self._labels:
            return {"names": self._classes, "_type": "ClassLabel"}
        if pa.types.is_list(field.type):  # List in new versions, which still know the old name
            return {"feature": {"dtype": _dtype(field.type.value_type), "_type": "Value"}, "_type": "Sequence"}
        return {"dtype": _dtype(field.type), "_type": "Value"}

    def in_yaml(self) -> list[dict[str, Any]]:
        """The same, as a card has them."""
        return [{"name": field.name, **self._of_card(field)} for field in self.schema]

    def _of_card(self, field: pa.Field) -> dict[str, Any]:
        if field.name in self._labels:
            names = {str(number): name for number, name in enumerate(self._classes)}
            return {"dtype": {"class_label": {"names": names}}}
        if pa.types.is_list(field.type):
            return {"sequence": _dtype(field.type.value_type)}
        return {"dtype": _dtype(field.type)}


def _dtype(type_: pa.DataType) -> str:
    return _DTYPES.get(str(type_), str(type_))
