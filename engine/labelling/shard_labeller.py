"""A corpus shard → a token shard and a label shard: the one idempotent function that every way of running calls."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.batches import waste
from engine.encoder import Encoder
from engine.ingest import read_texts
from engine.progress import Tick, silent
from engine.stored_tokens import check_tokens, read_tokens, write_tokens
from engine.tokens import Encoding, Tokens
from store import Store
from store.manifest import Family
from store.shard import write_shard
from store.soft_labels import label_batch, label_statistics


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """All that labelling one shard takes.

    Attributes:
        contents: the store.
        labels: the label set's family.
        encoder: the teacher, on its device.
        encoding: of the teacher.
        permutation: for each of the store's classes, its index among the teacher's outputs.
        keep_tokens: whether token ids are stored too.
    """

    contents: Store
    labels: Family
    encoder: Encoder
    encoding: Encoding
    permutation: list[int]
    keep_tokens: bool


@dataclass(frozen=True, kw_only=True)
class ShardReport:
    """What one shard took.

    Attributes:
        shard: its number.
        committed: whether this run's commit was the first.
        rows: labelled and failed ones.
        failed: rows whose logits were not finite.
        tokens: real ones.
        padded_tokens: tokens computed, padding included.
        seconds: of wall time, all stages.
        stages: seconds in ``tokenise``, ``compute`` and ``write``.
    """

    shard: int
    committed: bool
    rows: int
    failed: int
    tokens: int
    padded_tokens: int
    seconds: float
    stages: dict[str, float]


def label_shard(labeller: Labeller, shard: int, *, tick: Tick = silent) -> ShardReport:
    """Label the rows of ``shard`` and commit them. The same shard and card give the same bytes."""
    started = time.perf_counter()
    tokens = shard_tokens(labeller, shard)
    tokenised = time.perf_counter()
    batches = labeller.encoder.plan(tokens)
    logits = labeller.encoder.logits(tokens, batches, tick=tick)
    stored = _finite(labeller.encoder, tokens, logits)[:, labeller.permutation]
    computed = time.perf_counter()
    first_row, _ = labeller.contents.shard_range(shard)
    batch = label_batch(
        first_row=first_row,
        logits=np.ascontiguousarray(stored),
        n_tokens=tokens.lengths.astype(np.uint16),
        truncated=tokens.truncated,
    )
    statistics = label_statistics(batch)
    committed = write_shard(labeller.labels, shard, first_row, [batch], schema=batch.schema, statistics=statistics)
    ended = time.perf_counter()
    padding = waste(batches, tokens.lengths)
    return ShardReport(
        shard=shard,
        committed=committed,
        rows=batch.num_rows,
        failed=statistics["failed"],
        tokens=padding.real,
        padded_tokens=padding.padded,
        seconds=ended - started,
        stages={"tokenise": tokenised - started, "compute": computed - tokenised, "write": ended - computed},
    )


def _finite(encoder: Encoder, tokens: Tokens, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Logits as they are stored. Rows that are not finite in fp16 are computed again, alone and in fp32."""
    with np.errstate(over="ignore"):
        stored = logits.astype(np.float16)
        for row in np.flatnonzero(~np.isfinite(stored).all(axis=1)):
            stored[row] = encoder.exact_logits(tokens, int(row)).astype(np.float16)
    return stored


def shard_tokens(labeller: Labeller, shard: int) -> Tokens:
    """Token ids of ``shard``: the stored ones, else made from its texts, and stored where they are to be kept."""
    contents, encoding = labeller.contents, labeller.encoding
    family = contents.tokens(encoding.name)
    record = family.record(shard)
    if record is not None:
        check_tokens(family, encoding)
        return read_tokens(family, record)
    tokens = encoding.encode(read_texts(contents, shard))
    if labeller.keep_tokens:
        write_tokens(family, shard, contents.shard_range(shard)[0], tokens, encoding)
    return tokens
