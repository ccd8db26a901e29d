"""A corpus shard → a token shard and a label shard: the one idempotent function that every way of running calls.

Loads no torch: what computes is given to it.
"""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.batches import Plan, waste
from engine.corpus import read_texts
from engine.progress import Tick, silent
from engine.stored_tokens import check_tokens, read_tokens, write_tokens
from engine.tokens import Encoding, Tokens
from store import Store
from store.manifest import Family
from store.shard import write_shard
from store.soft_labels import label_batch, label_statistics

# Texts tokenised between two ticks: a few hundred milliseconds.
_TICK_TEXTS = 1024


class Computes(Protocol):
    """What turns tokens into logits; `engine.encoder.Encoder` is one."""

    def plan(self, tokens: Tokens) -> Plan:
        """The batches in which `logits` computes ``tokens``."""

    def logits(self, tokens: Tokens, batches: Plan, *, tick: Tick = silent) -> npt.NDArray[np.float32]:
        """(rows, classes) float32, in the order of ``tokens``."""

    def exact_logits(self, tokens: Tokens, row: int) -> npt.NDArray[np.float32]:
        """(classes,) float32 of one row, computed alone and in fp32."""


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
    encoder: Computes
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


def label_missing(labeller: Labeller, shard: int, *, tick: Tick = silent) -> ShardReport | None:
    """`label_shard`, unless another run has committed the shard by now: None then."""
    if labeller.labels.record(shard) is not None:
        return None
    return label_shard(labeller, shard, tick=tick)


def label_shard(labeller: Labeller, shard: int, *, tick: Tick = silent) -> ShardReport:
    """Label the rows of ``shard`` and commit them. The same shard and card give the same bytes."""
    started = time.perf_counter()
    tokens = shard_tokens(labeller, shard, tick=tick)
    tokenised = time.perf_counter()
    batches = labeller.encoder.plan(tokens)
    logits = labeller.encoder.logits(tokens, batches, tick=tick)
    stored = _finite(labeller.encoder, tokens, logits, tick)[:, labeller.permutation]
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


def _finite(encoder: Computes, tokens: Tokens, logits: npt.NDArray[np.float32], tick: Tick) -> npt.NDArray[np.float16]:
    """Logits as they are stored. Rows that are not finite in fp16 are computed again, alone and in fp32."""
    with np.errstate(over="ignore"):
        stored = logits.astype(np.float16)
        for row in np.flatnonzero(~np.isfinite(stored).all(axis=1)):
            stored[row] = encoder.exact_logits(tokens, int(row)).astype(np.float16)
            tick("computing logits again", len(stored), len(stored))
    return stored


def shard_tokens(labeller: Labeller, shard: int, *, tick: Tick = silent) -> Tokens:
    """Token ids of ``shard``: the stored ones, else made from its texts, and stored where they are to be kept."""
    contents, encoding = labeller.contents, labeller.encoding
    family = contents.tokens(encoding.name)
    record = family.record(shard)
    if record is not None:
        check_tokens(family, encoding)
        return read_tokens(family, record)
    return tokenise_shard(labeller, shard, family if labeller.keep_tokens else None, tick=tick)


def tokenise_shard(labeller: Labeller, shard: int, family: Family | None, *, tick: Tick = silent) -> Tokens:
    """Token ids of the texts of ``shard``; committed to ``family`` where there is one."""
    tokens = _encode(labeller.encoding, read_texts(labeller.contents, shard), tick)
    if family is not None:
        first_row, _ = labeller.contents.shard_range(shard)
        write_tokens(family, shard, first_row, tokens, labeller.encoding)
    return tokens


def _encode(encoding: Encoding, texts: list[str], tick: Tick) -> Tokens:
    """The tokens of all texts at once, made a part at a time so that it is seen to go on."""
    parts = []
    for start in range(0, len(texts), _TICK_TEXTS):
        parts.append(encoding.encode(texts[start : start + _TICK_TEXTS]))
        tick("tokenising", 0, len(texts))
    if not parts:
        return encoding.encode([])
    lengths = np.concatenate([part.lengths for part in parts])
    return Tokens(
        ids=np.concatenate([part.ids for part in parts]),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        truncated=np.concatenate([part.truncated for part in parts]),
    )
