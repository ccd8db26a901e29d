"""The unlabelled rows → the store that all teachers label and all students learn from, and each student's part of it.

With a gold weight the gold rows come first, with their labels: a student then learns from those of its seed, too.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.comparison.experiment.data.rows import GOLD, POOL, Rows
from engine.comparison.experiment.draws import RowNumbers, pool_rows
from engine.errors import TrainingError
from engine.ingest.append import finish_corpus
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.progress import Tick, silent
from store.format.header import is_store
from store.format.names import CORPUS
from store.gold.fingerprint import fingerprints
from store.rows.row_set import RowSet
from store.selections.selection import Selection, freeze_selection
from store.storage import open_storage
from store.storage.atomic_file import replaced
from store.store import open_store

ROWS_PER_SHARD = 2_048
"""A kill loses no more labels than those of one shard."""
MIXED = "mixed.parquet"
_SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("label", pa.string())])


def make_corpus(store: Path, data: Path, rows: Rows, *, with_gold: bool, tick: Tick = silent) -> None:
    """Make the store, or go on with it.

    Args:
        store: where.
        data: folder of the rows.
        rows: how many there are.
        with_gold: whether the gold rows come before the unlabelled ones.
        tick: told of progress.

    Raises:
        TrainingError: it has other rows than the file.
    """
    storage, file = open_storage(str(store)), data / (MIXED if with_gold else POOL)
    if with_gold and not file.exists():
        _write_mixed(data, file)
    if is_store(storage):
        made = finish_corpus(storage, (str(file),), tick=tick)
    else:
        columns = ColumnNames(text="text", id="id", label="label" if with_gold else NO_COLUMN)
        expected = _rows(rows, with_gold=with_gold)
        config = IngestConfig(
            files=(str(file),),
            columns=columns,
            classes=tuple(rows.classes),
            shards=-(-expected // ROWS_PER_SHARD),
        )
        made = ingest(storage, config, known=rows.classes, tick=tick)
    if made.layout.rows != _rows(rows, with_gold=with_gold):
        raise TrainingError(
            f"{store} has {made.layout.rows:,} rows, and {file} has {_rows(rows, with_gold=with_gold):,}; remove "
            f"{store}, and run the same command again"
        )


def has_corpus(store: Path) -> bool:
    """Whether `make_corpus` has come to its end."""
    storage = open_storage(str(store))
    return is_store(storage) and not open_store(storage).corpus.missing()


def has_labels(store: Path, label_set: str) -> bool:
    """Whether the store has every shard of ``label_set``."""
    if not has_corpus(store):
        return False
    made = open_store(str(store))
    return label_set in made.label_sets() and not made.label_set(label_set).missing()


def select_rows(store: Path, name: str, rows: Rows, order: RowNumbers | None, *, seed: int, pool: int) -> str | None:
    """The selection of the rows that a student learns from; None if it is the whole store.

    Args:
        store: where.
        name: of the selection.
        rows: how many there are.
        order: of the gold rows, of which the first are learned from, too; None if the store has none.
        seed: of the choice.
        pool: how many unlabelled rows.
    """
    first = 0 if order is None else len(order)
    if pool == rows.pool and order is None:
        return None
    unlabelled = first + pool_rows(seed, pool=rows.pool, size=pool)
    chosen = unlabelled if order is None else np.concatenate([order[: rows.labels], unlabelled])
    made = open_store(str(store))
    selection = Selection(
        name=name, rows=RowSet.of(chosen, size=made.layout.rows), sources=fingerprints(made, {CORPUS})
    )
    freeze_selection(made, selection)
    return name


def _rows(rows: Rows, *, with_gold: bool) -> int:
    return rows.pool + (rows.labels + rows.extra if with_gold else 0)


def _write_mixed(data: Path, out: Path) -> None:
    """Gold rows, and behind them the unlabelled ones without a label; ids are numbers, so that none is there twice."""
    with replaced(out) as temporary, pq.ParquetWriter(temporary, _SCHEMA) as writer:
        written = 0
        for file in (data / GOLD, data / POOL):
            for batch in pq.ParquetFile(file).iter_batches():
                labels = batch["label"] if "label" in batch.schema.names else pa.nulls(batch.num_rows, pa.string())
                ids = pa.array([str(number) for number in range(written, written + batch.num_rows)])
                writer.write_batch(pa.record_batch([ids, batch["text"], labels], schema=_SCHEMA))
                written += batch.num_rows
