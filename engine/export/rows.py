"""A store and some of its label sets → the rows that an export has, in the order of their numbers, in bounded memory.

The logits are those that are stored, bit for bit. A row whose labelling failed has none, and the reason beside that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from store import Store
from store.errors import DamageError
from store.format.family import Family
from store.format.names import CORPUS, LABELS
from store.format.shard import BATCH_ROWS, REMEDY, check_bytes
from store.gold.reader import GoldReader
from store.rows.family_reader import ColumnArrays, FamilyReader
from store.rows.row_set import WORD_ROWS, RowNumbers, RowSet

ROW, ID, TEXT, LABEL = "row", "id", "text", "label"
LOGITS, PREDICTION, CLASS, FAILURE = "logits", "prediction", "class", "failure"
PER_LABEL_SET = (LOGITS, PREDICTION, "confidence", "margin", "entropy", "n_tokens", "truncated", FAILURE)
_WORDS = 1024


@dataclass(frozen=True, kw_only=True)
class ExportedColumns:
    """How the columns of an export are called.

    Attributes:
        kept: columns of the inputs, and how each is called here.
        label_sets: for each label set, how each of `PER_LABEL_SET` is called.
    """

    kept: dict[str, str]
    label_sets: dict[str, dict[str, str]]

    @classmethod
    def of(cls, store: Store, labels: Sequence[str]) -> "ExportedColumns":
        """Plain names for one label set; with several, each has the label set's name behind it: ``logits_bert``."""
        label_sets = {
            name: {column: f"{column}_{name}" if len(labels) > 1 else column for column in PER_LABEL_SET}
            for name in labels
        }
        columns = cls(kept={}, label_sets=label_sets)
        taken = {column.lower() for of in label_sets.values() for column in of.values()}
        for name in labels:
            logits = columns.logit_names(name, store.header.classes)
            taken |= {column.lower() for column in (columns.class_name(name), *logits)}
        for name in store.header.kept:
            free = name
            while free.lower() in taken:
                free += "_"
            taken.add(free.lower())
            columns.kept[name] = free
        return columns

    def class_name(self, label_set: str) -> str:
        """What the column with the name of the predicted class is called."""
        return CLASS + self._ending(label_set)

    def logit_names(self, label_set: str, classes: Sequence[str]) -> list[str]:
        """What the columns with the logit of each class are called."""
        return [f"logit_{name}{self._ending(label_set)}" for name in classes]

    def _ending(self, label_set: str) -> str:
        return self.label_sets[label_set][LOGITS].removeprefix(LOGITS)


class ExportedRows:
    """Reads rows of the corpus, the gold that holds, and the label sets, all side by side.

    Args:
        store: the store.
        labels: names of complete label sets.

    Attributes:
        columns: how they are called.
        schema: ``row``, ``id``, ``text``, ``label`` (index of the gold class), the kept columns, and those of each
            label set, of which the logits are list<float16>.
    """

    def __init__(self, store: Store, labels: Sequence[str]) -> None:
        self.columns = ExportedColumns.of(store, labels)
        self._corpus = FamilyReader(store, CORPUS, [ROW, ID, TEXT, *self.columns.kept])
        self._gold = GoldReader(store)
        readers = {name: FamilyReader(store, f"{LABELS}/{name}", list(PER_LABEL_SET)) for name in labels}
        self._labels = readers
        fields = [pa.field(name, self._corpus.types[name]) for name in (ROW, ID, TEXT)]
        fields.append(pa.field(LABEL, pa.int16()))
        fields += [pa.field(shown, self._corpus.types[name]) for name, shown in self.columns.kept.items()]
        for name, reader in readers.items():
            shown = self.columns.label_sets[name]
            fields += [pa.field(shown[column], _listed(reader.types[column])) for column in PER_LABEL_SET]
        self.schema = pa.schema(fields)

    def batches(self, numbers: Iterator[RowNumbers]) -> Iterator[pa.RecordBatch]:
        """The rows of each of ``numbers``, which ascend, as a batch."""
        for members in numbers:
            yield self._batch(members)

    def _batch(self, members: RowNumbers) -> pa.RecordBatch:
        corpus = _joined(self._corpus, members)
        arrays = [corpus[ROW], corpus[ID], corpus[TEXT], _joined(self._gold, members)["gold"]]
        arrays += [corpus[name] for name in self.columns.kept]
        for reader in self._labels.values():
            found = _joined(reader, members)
            arrays += [found[column] if column != LOGITS else _as_list(found[column]) for column in PER_LABEL_SET]
        cast = [array.cast(field.type) for array, field in zip(arrays, self.schema, strict=True)]
        return pa.record_batch(cast, schema=self.schema)


def _joined(reader: FamilyReader | GoldReader, members: RowNumbers) -> ColumnArrays:
    pieces = reader.read(members)
    return {name: pa.concat_arrays([piece[name] for piece in pieces]) for name in reader.types}


def _listed(type_: pa.DataType) -> pa.DataType:
    """Lists of one length as plain ones: not every reader of Parquet knows null among the others."""
    return pa.list_(pa.field("element", type_.value_type)) if pa.types.is_fixed_size_list(type_) else type_


def _as_list(array: pa.Array) -> pa.Array:
    """A fixed-size list array as a list array of the same values and nulls."""
    is_there = array.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(is_there)]) * array.type.list_size
    mask = None if is_there.all() else pa.array(~is_there)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), array.flatten(), type=_listed(array.type), mask=mask)


def numbers_between(rows: RowSet, start: int, stop: int) -> Iterator[RowNumbers]:
    """The ``start``-th to before the ``stop``-th of ``rows``, ascending, up to `BATCH_ROWS` at a time."""
    ends = np.concatenate([[0], np.cumsum(rows.counts(), dtype=np.int64)])
    word = int(np.searchsorted(ends, start, side="right")) - 1
    while start < stop:
        words = rows.words[word : word + _WORDS]
        numbers = RowSet(size=len(words) * WORD_ROWS, words=words).numbers() + word * WORD_ROWS
        some = numbers[start - ends[word] : stop - ends[word]]
        for first, behind in pairwise([*range(0, len(some), BATCH_ROWS), len(some)]):
            yield some[first:behind]
        start += len(some)
        word += len(words)


def check_families(store: Store, labels: Sequence[str]) -> None:
    """Compare every file that is read with the hash in its record.

    Raises:
        DamageError: one is damaged; names it.
        StoreMissingError: a part of the corpus is not written yet.
    """
    families: list[Family] = [store.corpus, *(store.label_set(name) for name in labels)]
    for family in families:
        family.check_complete()
        for record in family.records().values():
            name = f"{family.path}/{record.file}"
            problem = check_bytes(store.storage, name, size=record.bytes, sha256=record.sha256)
            if problem is not None:
                raise DamageError(f"{store.location}/{name} {problem.text}; {REMEDY.replace('STORE', store.location)}")
