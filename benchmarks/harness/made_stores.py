"""Large stores and texts, made quickly and the same ones every time. The logits are random; no model runs."""

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from store import Store
from store.families.corpus import add_statistics, corpus_batch, corpus_statistics
from store.families.labels import label_batch, label_statistics
from store.families.rejects import rejects_schema
from store.format.family import Family
from store.format.header import Header, create_header
from store.format.names import CORPUS, REJECTS
from store.format.shard import ShardWriter, write_shard
from store.storage import LocalStorage

CLASSES = ["negative", "positive"]
LABEL_SETS = ("bert", "roberta")
GOLD_EVERY = 10
TRUNCATED_EVERY = 50
FAILED_EVERY = 1000


class Unsynced(LocalStorage):
    """A disk that waits for nothing, so that 100,000 shards are made in minutes. Not for data that matter."""

    def fsync(self, descriptor: int) -> None:
        """Nothing."""


def gold_of(first: int, stop: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Gold labels of rows, and which rows have any."""
    rows = np.arange(first, stop)
    return ((rows * 7919 >> 3) % len(CLASSES)).astype(np.int16), rows % GOLD_EVERY == 0


def logits_of(labels: int, first: int, stop: int) -> npt.NDArray[np.float16]:
    """Logits of rows, (rows, classes), in the label set of that number; not a number where labelling failed."""
    logits = np.random.default_rng([labels, first]).normal(0, 2, (stop - first, len(CLASSES))).astype(np.float16)
    logits[np.arange(first, stop) % FAILED_EVERY == labels, 0] = np.nan
    return logits


def short_texts(first: int, stop: int) -> pa.Array:
    """Texts of rows, of no more than their numbers."""
    return pc.binary_join_element_wise("text number ", pa.array(np.arange(first, stop)).cast(pa.string()), "")


def build_store(
    place: Path,
    *,
    rows: int,
    shards: int,
    label_sets: Iterable[str] = LABEL_SETS,
    texts: Callable[[int, int], pa.Array] = short_texts,
) -> Store:
    """A finished store, with ``texts`` of a shard's first row and the row after its last."""
    storage = Unsynced(place)
    with ShardWriter(storage, rejects_schema(), compressed=True) as writer:
        file, size, sha256 = writer.publish(REJECTS, 0)
    header = Header(
        classes=CLASSES,
        rows=rows,
        shards=shards,
        extras={},
        inputs=[{"path": "made.jsonl", "size": 0, "sha256": "0" * 64, "rows": rows, "rejected": 0, "columns": {}}],
        rejects={"file": file, "rows": 0, "bytes": size, "sha256": sha256},
    )
    made = Store(storage, create_header(storage, header))
    for shard in range(shards):
        _write_corpus(made, shard, texts)
    made.corpus.seal()
    for number, name in enumerate(label_sets):
        family = made.label_set(name)
        family.freeze_card({"model": f"made/{name}"})
        for shard in range(shards):
            _write_labels(family, shard, number, made.layout.range_of(shard))
        family.seal()
    return made


def _write_corpus(made: Store, shard: int, texts: Callable[[int, int], pa.Array]) -> None:
    first, stop = made.layout.range_of(shard)
    numbers = pa.array(np.arange(first, stop)).cast(pa.string())
    gold, known = gold_of(first, stop)
    batch = corpus_batch(
        first_row=first,
        ids=pc.binary_join_element_wise("r", numbers, ""),
        texts=texts(first, stop),
        labels=pa.array(gold, mask=~known),
        extras={},
    )
    statistics = corpus_statistics()
    add_statistics(statistics, batch)
    write_shard(made.corpus, shard, first, [batch], schema=made.schema(CORPUS), statistics=statistics)


def _write_labels(family: Family, shard: int, labels: int, rows: tuple[int, int]) -> None:
    first, stop = rows
    batch = label_batch(
        first_row=first,
        logits=logits_of(labels, first, stop),
        n_tokens=(np.arange(first, stop) % 500).astype(np.uint16),
        truncated=np.arange(first, stop) % TRUNCATED_EVERY == 0,
    )
    write_shard(family, shard, first, [batch], schema=batch.schema, statistics=label_statistics(batch))


def write_texts(folder: Path, *, size: int, files: int = 4) -> list[str]:
    """JSON Lines files of ``size`` bytes in all, with texts of 50 to 2,000 characters; their paths."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]
    sentences = [" ".join(chance.choices(words, k=8)).capitalize() + "." for _ in range(20_000)]
    paths = [folder / f"texts-{number}.jsonl" for number in range(files)]
    row = 0
    for path in paths:
        with path.open("w") as file:
            while file.tell() < size // files:
                lines = []
                for _ in range(1000):
                    lines.append(_line(row, " ".join(chance.choices(sentences, k=chance.randint(1, 40)))))
                    row += 1
                file.write("".join(lines))
    return [str(path) for path in paths]


def _line(row: int, text: str) -> str:
    label = CLASSES[row // GOLD_EVERY % len(CLASSES)] if row % GOLD_EVERY == 0 else None
    return json.dumps({"id": f"r{row}", "text": text, "label": label}) + "\n"
