"""A selection → its rows with texts and predictions, batch by batch in the order of their numbers. Runs no SQL."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from store.format.names import CORPUS, LABELS
from store.format.shard import BATCH_ROWS
from store.rows.family_reader import FamilyReader
from store.rows.row_set import RowNumbers
from store.selections.selection import Selection
from store.snapshot import Snapshot

_PREDICTED = pa.schema(
    [("label_set", pa.string()), ("class", pa.string()), ("confidence", pa.float32()), ("margin", pa.float32())]
)


class SelectedRows:
    """The rows of a selection. Texts of other rows are not kept, and of these no more than a batch.

    Args:
        snapshot: the store.
        selection: of it.
        labels: the label set whose predictions come; where None, that which the condition saw, or the only one.

    Attributes:
        labels: that label set; None if the store has none.
        schema: ``row``, ``id``, ``text``, the kept columns and, with a label set, ``label_set``, ``class``,
            ``confidence`` and ``margin``, of which the last three are null if labelling failed.

    Raises:
        StoreMissingError: there is no such label set, or a choice is needed.
    """

    def __init__(self, snapshot: Snapshot, selection: Selection, *, labels: str | None = None) -> None:
        self.labels = _label_set(snapshot, labels or selection.labels)
        self._snapshot = snapshot
        self._numbers = selection.rows.numbers()
        names = ["row", "id", "text", *snapshot.header.kept]
        self._texts = FamilyReader(snapshot, CORPUS, names)
        corpus = snapshot.schema(CORPUS)
        fields = [corpus.field(name) for name in names]
        self.schema = pa.schema([*fields, *(_PREDICTED if self.labels is not None else [])])

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows, up to `BATCH_ROWS` at a time."""
        path = f"{LABELS}/{self.labels}"
        predicted = self.labels and FamilyReader(self._snapshot, path, ["prediction", "confidence", "margin"])
        for start in range(0, len(self._numbers), BATCH_ROWS):
            members = self._numbers[start : start + BATCH_ROWS]
            columns = _joined(self._texts, members)
            if predicted:
                columns |= self._predictions(_joined(predicted, members))
            arrays = [columns[field.name].cast(field.type) for field in self.schema]
            yield pa.record_batch(arrays, schema=self.schema)

    def _predictions(self, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        classes = pa.array(self._snapshot.header.classes)
        named = classes.take(columns["prediction"].cast(pa.int64()))
        return {**columns, "class": named, "label_set": pa.repeat(self.labels, len(named))}


def _label_set(snapshot: Snapshot, name: str | None) -> str | None:
    return None if name is None and not snapshot.label_sets() else snapshot.one_label_set(name)


def _joined(reader: FamilyReader, members: RowNumbers) -> dict[str, pa.Array]:
    pieces = reader.read(members)
    return {name: pa.concat_arrays([piece[name] for piece in pieces]) for name in reader.types}


def as_rows(batch: pa.RecordBatch) -> list[dict[str, object]]:
    """Rows as dicts that JSON can say: numbers that are not finite are null, float32 has the digits that it holds."""
    columns = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_floating(field.type):
            column = pc.if_else(pc.is_finite(column), column, None)
            if pa.types.is_float32(field.type):
                column = pc.round(column.cast(pa.float64()), 7)
        columns.append(column.to_pylist())
    return [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]
