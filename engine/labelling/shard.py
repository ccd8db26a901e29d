"""A corpus shard → a token shard and a label shard, in three steps: prepare, compute, commit.

Every step may be repeated: the same shard and card give the same bytes, and the first commit counts. Loads no torch:
the encoder is passed in.
"""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.compute.backend import Computes
from engine.labelling.parity_check import ParityCheck, check_parity
from engine.labelling.runners.base import ShardSteps
from engine.labelling.stored_logits import StoredLogits, finite_logits
from engine.labelling.summary import ShardReport
from engine.progress import Tick, silent
from engine.tokens.batches import Plan
from engine.tokens.encoding import Encoding
from engine.tokens.shard_tokens import shard_tokens
from engine.tokens.tokens import Tokens
from store import Store
from store.families.labels import label_batch, label_statistics
from store.format.family import Family
from store.format.shard import write_shard


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A shard whose logits can be computed.

    Attributes:
        shard: its number.
        tokens: of its rows.
        batches: the plan of its batches.
        seconds: that preparing it took.
    """

    shard: int
    tokens: Tokens
    batches: Plan
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Computed:
    """A shard whose labels can be written.

    Attributes:
        prepared: the shard.
        logits: (rows, classes) float16, in the store's class order.
        centred: rows whose logits are stored less their largest one.
        check: of some of its rows; None without a check.
        splits: batches that were split because the device ran out of memory.
        seconds: that computing it took.
        busy_seconds: of these, those in which the device computed.
    """

    prepared: Prepared
    logits: npt.NDArray[np.float16]
    centred: int
    check: ParityCheck | None
    splits: int
    seconds: float
    busy_seconds: float


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """Labels shards of one store for one label set; these are `engine.labelling.runners.base.ShardSteps`.

    Attributes:
        snapshot: the store.
        labels: the label set's family.
        encoder: the teacher, on its device.
        encoding: of the teacher.
        permutation: for each of the store's classes, its index among the teacher's outputs.
        keep_tokens: whether token ids are stored too.
        check_rows: rows of each shard whose logits are computed again, alone and in fp32.
        path: name of the backend that the card says; None if the encoder has no backends.
        centred_from: as in `engine.labelling.stored_logits.as_stored`, as the card says.
    """

    snapshot: Store
    labels: Family
    encoder: Computes
    encoding: Encoding
    permutation: list[int]
    keep_tokens: bool
    check_rows: int = 0
    path: str | None = None
    centred_from: float | None = None

    def prepare(self, shard: int, tick: Tick) -> Prepared | None:
        """`read` the shard; None if another run has committed it by now."""
        return None if self.labels.record(shard) is not None else self.read(shard, tick)

    def read(self, shard: int, tick: Tick) -> Prepared:
        """Read the texts, tokenise them and plan their batches. Needs no device."""
        started = time.perf_counter()
        tokens = shard_tokens(self.snapshot, self.encoding, shard, keep=self.keep_tokens, tick=tick)
        batches = self.encoder.plan(tokens)
        return Prepared(shard=shard, tokens=tokens, batches=batches, seconds=time.perf_counter() - started)

    def compute(self, prepared: Prepared, tick: Tick) -> Computed:
        """Compute the logits, and check some of them.

        Raises:
            LabellingError: they are not those of the model, or no row has finite ones.
        """
        encoder, tokens = self.encoder, prepared.tokens
        started, splits, busy = time.perf_counter(), encoder.splits, encoder.busy_seconds
        logits = encoder.logits(tokens, prepared.batches, tick=tick)
        stored = self._stored(prepared, logits, tick)
        check = check_parity(encoder, tokens, stored.logits, shard=prepared.shard, rows=self.check_rows, tick=tick)
        return Computed(
            prepared=prepared,
            logits=np.ascontiguousarray(stored.logits[:, self.permutation]),
            centred=stored.centred,
            check=check,
            splits=encoder.splits - splits,
            seconds=time.perf_counter() - started,
            busy_seconds=encoder.busy_seconds - busy,
        )

    def commit(self, computed: Computed) -> ShardReport:
        """Write the labels and commit them."""
        started = time.perf_counter()
        prepared, tokens = computed.prepared, computed.prepared.tokens
        first_row, _ = self.snapshot.layout.range_of(prepared.shard)
        batch = label_batch(
            first_row=first_row,
            logits=computed.logits,
            n_tokens=tokens.lengths.astype(np.uint16),
            truncated=tokens.truncated,
        )
        statistics = label_statistics(batch)
        committed = write_shard(
            self.labels,
            prepared.shard,
            first_row,
            [batch],
            schema=batch.schema,
            statistics=statistics,
            computed=self._computed_entry(computed),
        )
        written = time.perf_counter() - started
        return ShardReport(
            shard=prepared.shard,
            committed=committed,
            rows=batch.num_rows,
            failed=statistics["failed"],
            tokens=int(tokens.lengths.sum()),
            padded_tokens=self.encoder.computed_tokens(tokens, prepared.batches),
            flops=self.encoder.flops(tokens),
            ceiling=self.encoder.ceiling(),
            seconds=prepared.seconds + computed.seconds + written,
            busy_seconds=computed.busy_seconds,
            stages={"tokenise": prepared.seconds, "compute": computed.seconds, "write": written},
            check=computed.check,
        )

    def _stored(self, prepared: Prepared, logits: npt.NDArray[np.float32], tick: Tick) -> StoredLogits:
        def exact(row: int) -> npt.NDArray[np.float32]:
            return self.encoder.exact_logits(prepared.tokens, row)

        return finite_logits(logits, self.centred_from, exact, shard=prepared.shard, tick=tick)

    def _computed_entry(self, computed: Computed) -> dict[str, Any]:
        """The record's ``computed`` entry: how the logits were computed, if that was out of the ordinary."""
        entry: dict[str, Any] = {}
        if computed.check is not None:
            entry["check"] = dataclasses.asdict(computed.check)
        if computed.centred:
            entry["centred"] = computed.centred
        if computed.splits:
            entry["splits"] = computed.splits
        if self.path not in (None, self.encoder.path):
            entry["path"] = self.encoder.path
        return entry


def label_missing(steps: ShardSteps, shard: int, *, tick: Tick = silent) -> ShardReport | None:
    """Label ``shard`` and commit it; None if another run has committed it by now. A runner's task for one shard."""
    prepared = steps.prepare(shard, tick)
    if prepared is None:
        return None
    report: ShardReport = steps.commit(steps.compute(prepared, tick))
    return report


def label_shard(labeller: Labeller, shard: int, *, tick: Tick = silent) -> ShardReport:
    """Label ``shard`` and commit it, even if it is committed already: the same shard and card give the same bytes."""
    return labeller.commit(labeller.compute(labeller.read(shard, tick), tick))
