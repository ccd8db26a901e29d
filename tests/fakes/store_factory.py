"""Small complete stores, made without a model: known texts, gold labels, logits and token ids."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

import store
from store import Store
from store.families.corpus import add_statistics, corpus_batch, corpus_statistics
from store.families.labels import label_batch, label_statistics
from store.families.rejects import rejects_schema
from store.families.tokens import token_statistics, tokens_schema
from store.format.header import Header, create_header
from store.format.names import CORPUS, REJECTS, SEGMENTS
from store.format.segments import SegmentRecord, append_segment
from store.format.shard import ShardWriter, write_shard
from store.gold.calibration import Calibration, sources_now
from store.storage import LocalStorage, MemoryStorage, Storage

CLASSES = ["negative", "neutral", "positive"]
EXTRAS = {"stars": pa.int64(), "Café": pa.string()}
REJECTED = [
    ("in.csv", 3, "a", "text is null", None, 1),
    ("in.csv", 7, "id-1", "id is that of an earlier row", None, 1),
]
VOCABULARY = 1_000


class NoWaitStorage(LocalStorage):
    """A disk that is not waited for: where a test writes many files and its machine does not fail."""

    def fsync(self, descriptor: int) -> None:
        pass


def text_of(row: int) -> str:
    return f"Review number {row}: {'good ' * (row % 5)}naïve 👍"


def label_of(row: int, classes: int = len(CLASSES)) -> int | None:
    return None if row % 4 == 3 else row % classes


def extras_of(rows: Iterable[int]) -> dict[str, pa.Array]:
    rows = list(rows)
    return {
        "stars": pa.array([None if row % 6 == 5 else row % 5 + 1 for row in rows], pa.int64()),
        "Café": pa.array([f"café {row % 3}" for row in rows]),
    }


def token_ids(row: int) -> list[int]:
    """Different lengths, among them none at all."""
    return [(row * 31 + position) % VOCABULARY for position in range(row % 7)]


def random_logits(
    rows: int, classes: int = len(CLASSES), *, seed: int = 0, failed: Iterable[int] = ()
) -> np.ndarray[Any, np.dtype[np.float16]]:
    logits = np.random.default_rng(seed).normal(0, 3, (rows, classes)).astype(np.float16)
    logits[list(failed), 0] = np.nan
    return logits


def write_header(
    storage: Storage | None = None,
    *,
    rows: int,
    shards: int = 3,
    classes: Iterable[str] = CLASSES,
    extras: dict[str, pa.DataType] | None = None,
) -> Store:
    """A store that has its header and its refused rows, and nothing else yet."""
    storage = storage or MemoryStorage()
    with ShardWriter(storage, rejects_schema(), compressed=True) as rejects:
        columns = [list(column) for column in zip(*REJECTED, strict=True)]
        rejects.write(pa.record_batch(columns, schema=rejects_schema()))
        file, size, sha256 = rejects.publish(REJECTS, 0)
    header = Header(
        classes=list(classes),
        rows=rows,
        shards=shards,
        extras={name: str(type_) for name, type_ in (extras or {}).items()},
        inputs=[{"path": "in.csv", "size": 9, "sha256": "0" * 64, "rows": rows + 2, "rejected": 2, "columns": {}}],
        rejects={"file": file, "rows": len(REJECTED), "bytes": size, "sha256": sha256},
    )
    return Store(storage, create_header(storage, header))


def append_rows(
    made: Store, *, rows: int = 10, shards: int = 1, extras: dict[str, pa.DataType] | None = None, corpus: bool = True
) -> Store:
    """The store with ``rows`` more in a segment of their own, whose labels and tokens are missing."""
    header = store.open(made.storage).header
    last, number = header.segments[-1], len(header.segments)
    with ShardWriter(made.storage, rejects_schema(), compressed=True) as rejects:
        file, size, sha256 = rejects.publish(SEGMENTS, number)
    kept = header.kept if extras is None else {name: str(type_) for name, type_ in extras.items()}
    path = f"in-{number}.csv"
    segment = SegmentRecord(
        segment=number,
        first_row=last.stop[0],
        rows=rows,
        first_shard=last.stop[1],
        shards=shards,
        extras=kept,
        inputs=[{"path": path, "size": 9, "sha256": f"{number:064x}", "rows": rows, "rejected": 0, "columns": {}}],
        rejects={"file": file, "rows": 0, "bytes": size, "sha256": sha256},
    )
    assert append_segment(made.storage, segment)
    grown = store.open(made.storage)
    if corpus:
        add_corpus(grown, shards=range(segment.first_shard, segment.stop[1]))
        grown.corpus.seal()
    return grown


def add_corpus(
    made: Store,
    *,
    shards: Iterable[int] | None = None,
    text: Callable[[int], str] = text_of,
    label: Callable[[int, int], int | None] = label_of,
    id_: Callable[[int], str] = "id-{}".format,
) -> None:
    classes = len(made.header.classes)
    for shard in range(made.layout.shards) if shards is None else shards:
        first, stop = made.layout.range_of(shard)
        rows = range(first, stop)
        batch = corpus_batch(
            first_row=first,
            ids=pa.array([id_(row) for row in rows], pa.string()),
            texts=pa.array([text(row) for row in rows], pa.string()),
            labels=pa.array([label(row, classes) for row in rows], pa.int16()),
            extras={
                name: array
                for name, array in extras_of(rows).items()
                if name in made.header.segments[made.layout.segment_of(shard)].extras
            },
        )
        statistics = corpus_statistics()
        add_statistics(statistics, batch)
        write_shard(made.corpus, shard, first, [batch], schema=made.stored_schema(CORPUS, shard), statistics=statistics)


def add_labels(
    made: Store,
    name: str,
    *,
    seed: int = 0,
    failed: Iterable[int] = (),
    shards: Iterable[int] | None = None,
    logits: np.ndarray[Any, np.dtype[np.float16]] | None = None,
    card: dict[str, Any] | None = None,
) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Write a label set; the logits of all rows, random ones where none are given, not a number where one fails."""
    family = made.label_set(name)
    usual = {"model": f"test/{name}", "encoding": "words-8-right", "max_length": 8, "device": "cpu"}
    family.freeze_card(usual | (card or {}))
    if logits is None:
        logits = random_logits(made.layout.rows, len(made.header.classes), seed=seed, failed=failed)
    for shard in range(made.layout.shards) if shards is None else shards:
        first, stop = made.layout.range_of(shard)
        batch = label_batch(
            first_row=first,
            logits=logits[first:stop],
            n_tokens=(np.arange(first, stop) % 7).astype(np.uint16),
            truncated=np.arange(first, stop) % 5 == 0,
        )
        write_shard(family, shard, first, [batch], schema=batch.schema, statistics=label_statistics(batch))
    return logits


def repair_labels(made: Store, name: str, *, shard: int, seed: int) -> None:
    """Commit other logits for one shard, as the repair of a damaged shard on another machine does."""
    family = made.label_set(name).for_repair()
    first, stop = made.layout.range_of(shard)
    batch = label_batch(
        first_row=first,
        logits=random_logits(made.layout.rows, len(made.header.classes), seed=seed)[first:stop],
        n_tokens=(np.arange(first, stop) % 7).astype(np.uint16),
        truncated=np.arange(first, stop) % 5 == 0,
    )
    assert write_shard(family, shard, first, [batch], schema=batch.schema, statistics=label_statistics(batch))


def add_tokens(made: Store, encoding: str) -> None:
    family = made.tokens(encoding)
    family.freeze_card({"encoding": encoding, "max_length": 8, "vocab_size": VOCABULARY})
    schema = tokens_schema(VOCABULARY)
    for shard in range(made.layout.shards):
        first, stop = made.layout.range_of(shard)
        rows = range(first, stop)
        columns = [list(rows), [token_ids(row) for row in rows], [row % 7 == 6 for row in rows]]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        batch = pa.record_batch(arrays, schema=schema)
        write_shard(family, shard, first, [batch], schema=schema, statistics=token_statistics(batch))


def make_store(
    storage: Storage | None = None,
    *,
    rows: int = 50,
    shards: int = 3,
    classes: Iterable[str] = CLASSES,
    labels: Iterable[str] = ("bert",),
    encodings: Iterable[str] = (),
) -> Store:
    """A finished store in ``storage``, or in memory: corpus with extras, label sets and tokens, all sealed."""
    made = write_header(storage, rows=rows, shards=shards, classes=classes, extras=EXTRAS)
    add_corpus(made)
    for seed, name in enumerate(labels):
        add_labels(made, name, seed=seed)
    for encoding in encodings:
        add_tokens(made, encoding)
    for family in made.families():
        family.seal()
    return made


def flip_bit(storage: Storage, name: str, position: int) -> None:
    """Damage one bit of a file."""
    data = bytearray(storage.read(name).to_pybytes())
    data[position % len(data)] ^= 1 << position % 8
    storage.put(name, bytes(data))


def change_bytes(storage: Storage, name: str, old: bytes, new: bytes) -> None:
    """Damage a file where it says ``old``."""
    data = storage.read(name).to_pybytes()
    assert old in data
    storage.put(name, data.replace(old, new, 1))


def with_check(body: bytes) -> bytes:
    """A small file with a right check behind any ``body``, a JSON object or not, which lacks its last brace."""
    return body + b',\n "check": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def calibration_at(temperature: float, *, label_set: str = "bert", made: Store | None = None) -> Calibration:
    """A calibration that nothing was fitted for; of the labels of ``made`` as they are."""
    return Calibration(
        label_set=label_set,
        number=1,
        temperature=temperature,
        standard_error=0.1,
        rows=100,
        rounds=[0],
        left_out=0,
        sources={} if made is None else sources_now(made, label_set),
        before={"log_loss": 0.5},
        after={"log_loss": 0.4},
    )
