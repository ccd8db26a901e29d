"""The store's own side of `benchmarks.loader.run`: made rows → a store, and its stream → batches."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import store
from benchmarks.harness.made_stores import Unsynced
from benchmarks.loader.data import BATCH_ROWS, CLASSES, VOCABULARY, Batch, Data
from store import Store
from store.families.corpus import add_statistics, corpus_batch, corpus_statistics
from store.families.labels import label_batch, label_statistics
from store.families.rejects import rejects_schema
from store.families.tokens import token_statistics, tokens_schema
from store.format.family import Family
from store.format.header import Header, create_header
from store.format.names import CORPUS, REJECTS
from store.format.shard import ShardWriter, write_shard

NAME = "made"
_ROWS_PER_SHARD = 32_768  # as `engine.ingest.ingest` cuts a corpus


def write(data: Data, place: Path) -> None:
    """A sealed store of ``data``, with texts that nobody reads."""
    made = _create(place, len(data.lengths))
    labels, tokens = made.label_set(NAME), made.tokens(NAME)
    labels.freeze_card({"model": "made"})
    tokens.freeze_card({"encoding": NAME, "max_length": int(data.lengths.max()), "vocab_size": VOCABULARY})
    for shard, first, stop in made.layout:
        _write_corpus(made, shard, first, stop)
        _write_labels(labels, shard, data, first, stop)
        _write_tokens(tokens, shard, data, first, stop)
    for family in (made.corpus, labels, tokens):
        family.seal()


def _create(place: Path, rows: int) -> Store:
    storage = Unsynced(place)
    with ShardWriter(storage, rejects_schema(), compressed=True) as writer:
        file, size, sha256 = writer.publish(REJECTS, 0)
    header = Header(
        classes=[f"class {number}" for number in range(CLASSES)],
        rows=rows,
        shards=-(-rows // _ROWS_PER_SHARD),
        extras={},
        inputs=[{"path": "made.jsonl", "size": 0, "sha256": "0" * 64, "rows": rows, "rejected": 0, "columns": {}}],
        rejects={"file": file, "rows": 0, "bytes": size, "sha256": sha256},
    )
    return Store(storage, create_header(storage, header))


def _write_corpus(made: Store, shard: int, first: int, stop: int) -> None:
    numbers = pa.array(np.arange(first, stop)).cast(pa.string())
    batch = corpus_batch(
        first_row=first, ids=numbers, texts=numbers, labels=pa.nulls(stop - first, pa.int16()), extras={}
    )
    statistics = corpus_statistics()
    add_statistics(statistics, batch)
    write_shard(made.corpus, shard, first, [batch], schema=made.schema(CORPUS), statistics=statistics)


def _write_labels(family: Family, shard: int, data: Data, first: int, stop: int) -> None:
    batch = label_batch(
        first_row=first,
        logits=data.logits[first:stop],
        n_tokens=data.lengths[first:stop].astype(np.uint16),
        truncated=np.zeros(stop - first, np.bool_),
    )
    write_shard(family, shard, first, [batch], schema=batch.schema, statistics=label_statistics(batch))


def _write_tokens(family: Family, shard: int, data: Data, first: int, stop: int) -> None:
    schema, offsets = tokens_schema(VOCABULARY), data.offsets[first : stop + 1]
    ids = pa.ListArray.from_arrays(
        pa.array((offsets - offsets[0]).astype(np.int32)),
        pa.array(data.ids[offsets[0] : offsets[-1]]),
        type=schema.field("input_ids").type,
    )
    columns = [pa.array(np.arange(first, stop)), ids, pa.array(np.zeros(stop - first, np.bool_))]
    batch = pa.record_batch(columns, schema=schema)
    write_shard(family, shard, first, [batch], schema=schema, statistics=token_statistics(batch))


def epochs(place: Path, form: str, workers: int) -> Callable[[int], Iterator[Batch]]:  # noqa: ARG001 - there is one form
    """Epoch → its batches."""

    def epoch(number: int) -> Iterator[Batch]:
        stream = store.open(place).stream(
            labels=NAME, columns=("logits",), encoding=NAME, batch_size=BATCH_ROWS, epoch=number, workers=workers
        )
        for batch in stream:
            yield Batch(batch["row"], batch["input_ids"], batch["offsets"], batch["logits"])

    return epoch
