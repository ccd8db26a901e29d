"""Labels some texts as a shard is labelled, measures each step, and keeps nothing. A job for any runner; no torch.

Its shards are parts of the texts, each with the mix of all.
"""

import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.compute.backend import Computes
from engine.labelling.parity_check import check_parity
from engine.labelling.stored_logits import finite_logits
from engine.progress import Tick
from engine.tokens.batches import Plan
from engine.tokens.encoding import Encoding
from engine.tokens.tokens import Tokens
from store.families.labels import label_batch
from store.format.shard import ShardWriter, rebatch
from store.storage import MemoryStorage


@dataclass(frozen=True, kw_only=True)
class OpenModel:
    """A teacher on its device, that knows no store.

    Attributes:
        encoder: computes.
        encoding: of the teacher.
        classes: names of its outputs, in their order.
        centred_from: as in `engine.labelling.stored_logits.as_stored`.
        check_rows: rows of a shard that are computed again.
    """

    encoder: Computes
    encoding: Encoding
    classes: list[str]
    centred_from: float | None
    check_rows: int


class ModelJob(Protocol):
    """A label job whose model can be opened without its store; `engine.labelling.job.LabelJob` is one."""

    @property
    def label_set(self) -> str:
        """Name of the label set."""

    def open_model(self, device: str) -> OpenModel:
        """Put the teacher on ``device``."""


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """What labelling a part of the texts took.

    Attributes:
        part: its number.
        tokens: (rows,) uint16, of each text.
        predictions: (rows,) int16, index of the class, in the store's order; -1 where labelling failed.
        warm_seconds: of a first row; in the first part of a worker, products are prepared for it, and the model that
            checks is loaded.
        prepare_seconds: of tokenising and planning.
        compute_seconds: of computing.
        write_seconds: of making the file of labels.
        check_seconds: of computing some rows again.
        checked: how many.
        padded_tokens: tokens computed, padding included.
        label_bytes: of the file of labels.
        token_bytes: of a token id.
    """

    part: int
    tokens: npt.NDArray[np.uint16]
    predictions: npt.NDArray[np.int16]
    warm_seconds: float
    prepare_seconds: float
    compute_seconds: float
    write_seconds: float
    check_seconds: float
    checked: int
    padded_tokens: int
    label_bytes: int
    token_bytes: int


@dataclass(frozen=True, kw_only=True)
class SampleJob:
    """A `engine.labelling.runners.base.Job` whose shards are parts of a sample.

    Attributes:
        job: opens the teacher.
        parts: the texts of each part.
        classes: of the store, in its order.
    """

    job: ModelJob
    parts: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]

    keep_tokens = False

    @property
    def label_set(self) -> str:
        """Name of the label set that it is a sample of."""
        return self.job.label_set

    def open(self, device: str) -> "SampleSteps":
        """Put the teacher on ``device``."""
        opened = self.job.open_model(device)
        order = [opened.classes.index(name) for name in self.classes]
        return SampleSteps(parts=self.parts, order=order, model=opened)


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    part: int
    tokens: Tokens
    batches: Plan
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Computed:
    prepared: _Prepared
    logits: npt.NDArray[np.float16]
    warm_seconds: float
    seconds: float
    check_seconds: float
    checked: int


@dataclass(frozen=True, kw_only=True)
class SampleSteps:
    """`engine.labelling.runners.base.ShardSteps` of a `SampleJob`.

    Attributes:
        parts: the texts of each part.
        order: for each class of the store, its index among the teacher's outputs.
        model: the teacher, on its device.
    """

    parts: tuple[tuple[str, ...], ...]
    order: list[int]
    model: OpenModel

    def prepare(self, shard: int, tick: Tick) -> _Prepared:
        """Tokenise the texts and plan their batches."""
        started, texts = time.perf_counter(), self.parts[shard]
        tick("tokenising", 0, len(texts))
        tokens = self.model.encoding.encode(texts)
        batches = self.model.encoder.plan(tokens)
        return _Prepared(part=shard, tokens=tokens, batches=batches, seconds=time.perf_counter() - started)

    def compute(self, prepared: _Prepared, tick: Tick) -> _Computed:
        """Compute the logits, and then check some of them.

        Raises:
            LabellingError: they are not those of the model, or no row has finite ones.
        """
        tokens, encoder, warm_seconds = prepared.tokens, self.model.encoder, self._warm_up(prepared.tokens)
        started = time.perf_counter()
        logits = encoder.logits(tokens, prepared.batches, tick=tick)
        stored = finite_logits(
            logits,
            self.model.centred_from,
            lambda row: encoder.exact_logits(tokens, row),
            shard=prepared.part,
            tick=tick,
        )
        computed = time.perf_counter()
        rows = self.model.check_rows
        check = check_parity(encoder, tokens, stored.logits, shard=prepared.part, rows=rows, tick=tick)
        return _Computed(
            prepared=prepared,
            logits=np.ascontiguousarray(stored.logits[:, self.order]),
            warm_seconds=warm_seconds,
            seconds=computed - started,
            check_seconds=time.perf_counter() - computed,
            checked=0 if check is None else check.rows,
        )

    def _warm_up(self, tokens: Tokens) -> float:
        """Compute a row of ``tokens`` in both ways; the seconds that it took, which are more the first time."""
        started, one = time.perf_counter(), tokens.some(np.arange(1))
        self.model.encoder.logits(one, self.model.encoder.plan(one))
        if self.model.check_rows:
            self.model.encoder.exact_logits(one, 0)
        return time.perf_counter() - started

    def commit(self, computed: Any) -> PartReport:
        """Make the file of labels in memory, and forget it."""
        started, tokens = time.perf_counter(), computed.prepared.tokens
        batch = label_batch(
            first_row=0,
            logits=computed.logits,
            n_tokens=tokens.lengths.astype(np.uint16),
            truncated=tokens.truncated,
        )
        with ShardWriter(MemoryStorage(), batch.schema, compressed=False) as writer:
            for piece in rebatch([batch], batch.schema):
                writer.write(piece)
            _, size, _ = writer.publish("labels", computed.prepared.part)
        encoder = self.model.encoder
        return PartReport(
            part=computed.prepared.part,
            tokens=tokens.lengths.astype(np.uint16),
            predictions=batch.column("prediction").fill_null(-1).to_numpy(),
            warm_seconds=computed.warm_seconds,
            prepare_seconds=computed.prepared.seconds,
            compute_seconds=computed.seconds,
            write_seconds=time.perf_counter() - started,
            check_seconds=computed.check_seconds,
            checked=computed.checked,
            padded_tokens=encoder.computed_tokens(tokens, computed.prepared.batches),
            label_bytes=size,
            token_bytes=2 if self.model.encoding.vocab_size <= 1 << 16 else 4,
        )
