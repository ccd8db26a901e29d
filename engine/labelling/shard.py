"""A corpus shard → a token shard and a label shard, in three steps: prepare, compute, commit.

Every step may be done again: the same shard and card give the same bytes, and the first commit counts. Loads no torch:
what computes is given to it.
"""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.compute.backend import Computes
from engine.labelling.parity_check import ParityCheck, check_parity
from engine.labelling.pipeline import ShardSteps
from engine.labelling.shard_tokens import shard_tokens
from engine.labelling.summary import ShardReport
from engine.progress import Tick, silent
from engine.tokens.batches import Plan
from engine.tokens.encoding import Encoding
from engine.tokens.tokens import Tokens
from store import Store
from store.families.labels import label_batch, label_statistics
from store.format.family import Family
from store.format.shard import write_shard


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """All that labelling a shard takes.

    Attributes:
        snapshot: the store.
        labels: the label set's family.
        encoder: the teacher, on its device.
        encoding: of the teacher.
        permutation: for each of the store's classes, its index among the teacher's outputs.
        keep_tokens: whether token ids are stored too.
        check_rows: rows of each shard whose logits are computed again, alone and in fp32.
        path: name of the backend that the card says; None if the encoder has no backends.
    """

    snapshot: Store
    labels: Family
    encoder: Computes
    encoding: Encoding
    permutation: list[int]
    keep_tokens: bool
    check_rows: int = 0
    path: str | None = None

    def prepare(self, shard: int, tick: Tick) -> "Prepared | None":
        """See `prepare_shard`; None where another run has committed the shard by now."""
        return None if self.labels.record(shard) is not None else prepare_shard(self, shard, tick)

    def compute(self, prepared: "Prepared", tick: Tick) -> "Computed":
        """See `compute_shard`."""
        return compute_shard(self, prepared, tick)

    def commit(self, computed: "Computed") -> "ShardReport":
        """See `commit_shard`."""
        return commit_shard(self, computed)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A shard that only a device is needed for.

    Attributes:
        shard: its number.
        tokens: of its rows.
        batches: their plan.
        seconds: that it took.
    """

    shard: int
    tokens: Tokens
    batches: Plan
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Computed:
    """A shard that only has to be written.

    Attributes:
        prepared: what it was.
        logits: (rows, classes) float16, in the store's class order.
        check: of some of its rows.
        splits: batches that were split because memory ran out.
        seconds: that it took.
        busy_seconds: of these, those in which the device computed.
    """

    prepared: Prepared
    logits: npt.NDArray[np.float16]
    check: ParityCheck | None
    splits: int
    seconds: float
    busy_seconds: float


def label_missing(steps: ShardSteps, shard: int, *, tick: Tick = silent) -> ShardReport | None:
    """`label_shard`, unless another run has committed the shard by now: None then."""
    prepared = steps.prepare(shard, tick)
    if prepared is None:
        return None
    report: ShardReport = steps.commit(steps.compute(prepared, tick))
    return report


def label_shard(labeller: Labeller, shard: int, *, tick: Tick = silent) -> ShardReport:
    """Label the rows of ``shard`` and commit them. The same shard and card give the same bytes."""
    return labeller.commit(labeller.compute(prepare_shard(labeller, shard, tick), tick))


def prepare_shard(labeller: Labeller, shard: int, tick: Tick = silent) -> Prepared:
    """Read the texts, tokenise them and plan their batches. Needs no device."""
    started = time.perf_counter()
    tokens = shard_tokens(labeller.snapshot, labeller.encoding, shard, keep=labeller.keep_tokens, tick=tick)
    batches = labeller.encoder.plan(tokens)
    return Prepared(shard=shard, tokens=tokens, batches=batches, seconds=time.perf_counter() - started)


def compute_shard(labeller: Labeller, prepared: Prepared, tick: Tick = silent) -> Computed:
    """Compute the logits, and check some of them.

    Raises:
        LabellingError: they are not those of the model.
    """
    encoder, tokens = labeller.encoder, prepared.tokens
    started, splits, busy = time.perf_counter(), encoder.splits, encoder.busy_seconds
    logits = encoder.logits(tokens, prepared.batches, tick=tick)
    stored = _finite(encoder, tokens, logits, tick)
    check = check_parity(encoder, tokens, stored, shard=prepared.shard, rows=labeller.check_rows, tick=tick)
    return Computed(
        prepared=prepared,
        logits=np.ascontiguousarray(stored[:, labeller.permutation]),
        check=check,
        splits=encoder.splits - splits,
        seconds=time.perf_counter() - started,
        busy_seconds=encoder.busy_seconds - busy,
    )


def commit_shard(labeller: Labeller, computed: Computed) -> ShardReport:
    """Write the labels and commit them."""
    started = time.perf_counter()
    prepared, tokens = computed.prepared, computed.prepared.tokens
    first_row, _ = labeller.snapshot.layout.range_of(prepared.shard)
    batch = label_batch(
        first_row=first_row,
        logits=computed.logits,
        n_tokens=tokens.lengths.astype(np.uint16),
        truncated=tokens.truncated,
    )
    statistics = label_statistics(batch)
    committed = write_shard(
        labeller.labels,
        prepared.shard,
        first_row,
        [batch],
        schema=batch.schema,
        statistics=statistics,
        computed=_how(labeller, computed),
    )
    written = time.perf_counter() - started
    return ShardReport(
        shard=prepared.shard,
        committed=committed,
        rows=batch.num_rows,
        failed=statistics["failed"],
        tokens=int(tokens.lengths.sum()),
        padded_tokens=labeller.encoder.computed_tokens(tokens, prepared.batches),
        flops=labeller.encoder.flops(tokens),
        ceiling=labeller.encoder.ceiling(),
        seconds=prepared.seconds + computed.seconds + written,
        busy_seconds=computed.busy_seconds,
        stages={"tokenise": prepared.seconds, "compute": computed.seconds, "write": written},
        check=computed.check,
    )


def _how(labeller: Labeller, computed: Computed) -> dict[str, Any]:
    """What the record says of how the logits came about, which their rows do not tell."""
    told: dict[str, Any] = {}
    if computed.check is not None:
        told["check"] = dataclasses.asdict(computed.check)
    if computed.splits:
        told["splits"] = computed.splits
    if labeller.path not in (None, labeller.encoder.path):
        told["path"] = labeller.encoder.path
    return told


def _finite(encoder: Computes, tokens: Tokens, logits: npt.NDArray[np.float32], tick: Tick) -> npt.NDArray[np.float16]:
    """Logits as they are stored. Rows that are not finite in fp16 are computed again, alone and in fp32."""
    with np.errstate(over="ignore"):
        stored = logits.astype(np.float16)
        for row in np.flatnonzero(~np.isfinite(stored).all(axis=1)):
            stored[row] = encoder.exact_logits(tokens, int(row)).astype(np.float16)
            tick("computing logits again", len(stored), len(stored))
    return stored
