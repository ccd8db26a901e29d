"""Answers → the shards of a label set: those that are missing, and those whose file is damaged; each committed alone.

A shard is a pure function of the answers, so that a run that was killed and one that goes on write the same bytes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.answers.judge import Answers
from engine.answers.soft_labels import mean_logits
from engine.progress import Tick
from store import Store
from store.families.labels import label_batch, label_statistics
from store.format.family import Family
from store.format.shard import check_bytes, write_shard

Failures = tuple[npt.NDArray[np.int16], list[str]]
"""(rows,) for each row without an answer the place of its reason, for others -1; and the reasons."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a run wrote.

    Attributes:
        committed: shards that were not there.
        mended: shards whose file was damaged, and is as it was.
    """

    committed: int
    mended: int


def write_shards(
    store: Store, labels: Family, answers: Answers, failures: Failures, *, hard: float, tick: Tick
) -> Written:
    """Write what is missing or damaged, and seal the label set if it is finished.

    Args:
        store: the store.
        labels: the label set, whose card is frozen.
        answers: those that count.
        failures: of the rows that have none.
        hard: the probability of a named class without a confidence.
        tick: told how far it is.

    Raises:
        MismatchError: another run committed other bytes.
    """
    records = labels.records()
    committed = mended = 0
    for shard, _, stop in store.layout:
        record = records.get(shard)
        if record is None:
            committed += _write_shard(store, labels, shard, answers, failures, hard=hard)
        elif check_bytes(store.storage, f"{labels.path}/{record.file}", size=record.bytes, sha256=record.sha256):
            _write_shard(store, labels.for_repair(), shard, answers, failures, hard=hard)
            mended += 1
        tick("writing labels", stop, store.layout.rows)
    labels.seal()
    return Written(committed=committed, mended=mended)


def _write_shard(
    store: Store, labels: Family, shard: int, answers: Answers, failures: Failures, *, hard: float
) -> bool:
    """Write one shard; False if another run had committed it."""
    first, stop = store.layout.range_of(shard)
    size, classes = stop - first, len(store.header.classes)
    logits = np.full((size, classes), np.nan, np.float16)
    for part in answers.parts(first, stop):
        rows, answered = mean_logits(answers, part, classes=classes, hard=hard)
        logits[rows - first] = answered
    codes, texts = failures
    batch = label_batch(
        first_row=first,
        logits=logits,
        n_tokens=np.zeros(size, np.uint16),
        truncated=np.zeros(size, np.bool_),
        failures=np.array(["", *texts], np.object_)[codes[first:stop] + 1],
    )
    return write_shard(labels, shard, first, [batch], schema=batch.schema, statistics=label_statistics(batch))
