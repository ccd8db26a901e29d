"""A work folder and a model → what the model says of the rows: a job for the runners that label.

Its shards are the files of texts. A second model computes only the rows of which the first is not sure enough.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from engine.compute.backend import Computes
from engine.compute.device import find_device
from engine.errors import ModelError
from engine.labelling.card import Settings
from engine.labelling.job import worker_encoder
from engine.labelling.parity_check import ParityCheck, check_parity
from engine.labelling.stored_logits import CENTRED_FROM, finite_logits
from engine.models.classifier import Classifier, load_classifier
from engine.prediction.work_folder import MODEL, Part, WorkFolder
from engine.progress import Tick
from engine.tokens.batches import Plan as Batches
from engine.tokens.encoding import Encoding
from engine.tokens.tokens import Tokens
from store.families.labels import softmax


@dataclass(frozen=True, kw_only=True)
class Unsure:
    """Rows of which a model is less sure than so.

    Attributes:
        threshold: the confidence below which a row is one of them.
        temperature: that the logits are divided by before.
    """

    threshold: float
    temperature: float = 1.0

    def rows(self, part: Part) -> npt.NDArray[np.int64]:
        """Their places in the file of texts; a row without finite logits is one of them."""
        logits = np.where(part.finite[:, None], part.logits, 0)
        confidence = softmax(logits / self.temperature).max(axis=1)
        unsure: npt.NDArray[np.int64] = part.rows[(confidence < self.threshold) | ~part.finite]
        return unsure


@dataclass(frozen=True, kw_only=True)
class ChunkReport:
    """How a file of texts was computed.

    Attributes:
        rows: that were computed.
        check: of some of them against fp32; None without a check.
        seconds: of all steps.
    """

    rows: int
    check: ParityCheck | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PredictJob:
    """A `engine.labelling.runners.base.Job` whose shards are files of texts.

    Attributes:
        folder: with the texts; takes the results.
        stage: whose results they are: `engine.prediction.work_folder.MODEL` or ``DEFERRED``.
        model_name: hub id or path.
        revision: of the hub id.
        weights_sha256: of the model, which may not change meanwhile.
        settings: how it is computed.
        threads: on a CPU, those of each process.
        workers: that share the cores of a machine.
        unsure: the rows that are computed; all if None.
        model: the model, if this process has loaded it. It is not pickled.
    """

    folder: WorkFolder
    stage: str
    model_name: str
    revision: str | None
    weights_sha256: str
    settings: Settings
    threads: int
    workers: int
    unsure: Unsure | None = None
    model: Classifier | None = field(default=None, repr=False, compare=False)

    keep_tokens = False

    @property
    def label_set(self) -> str:
        """What messages call the results."""
        return self.stage

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None}

    def open(self, device: str) -> "Predictor":
        """Put the model on ``device``; load it first unless `model` is it.

        Raises:
            ModelError: it is not the one that the run began with.
        """
        model = self.model or load_classifier(self.model_name, revision=self.revision)
        if self.model is None and model.weights_sha256() != self.weights_sha256:
            raise ModelError(f"{self.model_name} changed while it was used; run the same command again")
        encoder = worker_encoder(model, find_device(device), self.settings, threads=self.threads, workers=self.workers)
        return Predictor(job=self, encoder=encoder, encoding=model.encoding(self.settings.max_length))


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    chunk: int
    rows: npt.NDArray[np.int64]
    tokens: Tokens
    batches: Batches
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Computed:
    chunk: int
    part: Part
    report: ChunkReport


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """`engine.labelling.runners.base.ShardSteps` of a `PredictJob`.

    Attributes:
        job: what is computed.
        encoder: the model, on its device.
        encoding: of the model.
    """

    job: PredictJob
    encoder: Computes
    encoding: Encoding

    def prepare(self, shard: int, tick: Tick) -> _Prepared | None:  # noqa: ARG002 - it takes no time
        """Read the texts, tokenise them and plan their batches; None if the results are there."""
        job, started = self.job, time.perf_counter()
        if job.folder.has_part(job.stage, shard):
            return None
        texts = job.folder.texts(shard)
        if job.unsure is None:
            rows = np.flatnonzero(texts["reason"].is_null().to_numpy())
        else:
            rows = job.unsure.rows(job.folder.part(MODEL, shard))
        tokens = self.encoding.encode(pc.take(texts["text"], rows).to_pylist())
        batches = self.encoder.plan(tokens)
        return _Prepared(chunk=shard, rows=rows, tokens=tokens, batches=batches, seconds=time.perf_counter() - started)

    def compute(self, prepared: _Prepared, tick: Tick) -> _Computed:
        """Compute the logits, and check some of them.

        Raises:
            LabellingError: they are not those of the model, or no row has finite ones.
        """
        started, tokens, encoder = time.perf_counter(), prepared.tokens, self.encoder
        logits, check = encoder.logits(tokens, prepared.batches, tick=tick), None
        if len(logits):
            stored = finite_logits(
                logits,
                CENTRED_FROM,
                lambda row: encoder.exact_logits(tokens, row),
                shard=prepared.chunk,
                tick=tick,
            )
            rows = self.job.settings.check_rows
            check = check_parity(encoder, tokens, stored.logits, shard=prepared.chunk, rows=rows, tick=tick)
        part = Part(rows=prepared.rows, logits=logits, truncated=tokens.truncated)
        seconds = prepared.seconds + time.perf_counter() - started
        report = ChunkReport(rows=len(logits), check=check, seconds=seconds)
        return _Computed(chunk=prepared.chunk, part=part, report=report)

    def commit(self, computed: _Computed) -> ChunkReport:
        """Write the results."""
        self.job.folder.write_part(self.job.stage, computed.chunk, computed.part)
        return computed.report
