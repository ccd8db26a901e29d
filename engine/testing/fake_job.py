"""A label job without a model: made-up logits, and faults on demand. All other work on a shard is real. No torch.

For tests of runners, and to try a cluster before a model runs on it.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, models, pre_tokenizers

import store
from engine.compute.backend import BOUNDS
from engine.labelling.pilot.sample_job import OpenModel
from engine.labelling.shard import Computed, Labeller, Prepared
from engine.progress import Tick, silent
from engine.testing.faults import LOADING, FaultInjector, WorkerFault, inject
from engine.tokens.batches import Plan, pad, plan, restore, waste
from engine.tokens.encoding import Encoding
from engine.tokens.tokens import Tokens
from store import Store
from store.format.run_log import check_run_is_here
from store.storage import Storage, open_storage

_BUDGET = 256
_TICK_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class FakeJob:
    """The test double of `engine.labelling.job.LabelJob`.

    Attributes:
        store: where the store is; it has a corpus.
        label_set: its name.
        keep_tokens: whether token ids are stored too.
        max_length: tokens, which are bytes here.
        seconds_per_shard: how long one takes, at least.
        faults: of its workers.
        marks: a folder in which processes count the faults that happen a number of times.
        begun: a file to which every process appends a line for each shard that it begins.
        waits_for: a file that must exist before any shard is computed.
        run_log: of the run, which the store must have; None if that does not matter.
    """

    store: str | Storage
    label_set: str = "fake"
    keep_tokens: bool = True
    max_length: int = 64
    seconds_per_shard: float = 0.0
    faults: tuple[WorkerFault, ...] = ()
    marks: str | None = None
    begun: str | None = None
    waits_for: str | None = None
    run_log: str | None = None

    def freeze_card(self) -> None:
        """Write the label set's card, as the run that begins it does."""
        snapshot, encoding = store.open(self.store), fake_encoding(self.max_length)
        snapshot.label_set(self.label_set).freeze_card(
            {
                "model": "fake",
                "revision": None,
                **dict.fromkeys(("weights_sha256", "config_sha256"), "0" * 64),
                "classes": snapshot.header.classes,
                "encoding": encoding.name,
                "encoding_sha256": encoding.fingerprint,
                "max_length": self.max_length,
                "dtype": "fp32",
                "tokens_per_batch": _BUDGET,
                "device": "fake",
                "threads": 1,
                "versions": {"numpy": np.__version__},
            }
        )

    def of_run(self, run_log: str) -> "FakeJob":
        """The job of one run."""
        return dataclasses.replace(self, run_log=run_log)

    def open_model(self, device: str) -> OpenModel:  # noqa: ARG002 - any has it
        """The made-up teacher, without a store."""
        classes, encoding = store.open(self.store).header.classes, fake_encoding(self.max_length)
        encoder = FakeEncoder(len(classes), encoding.vocab_size)
        return OpenModel(encoder=encoder, encoding=encoding, classes=classes, centred_from=None, check_rows=0)

    def open(self, device: str) -> "FaultyLabeller":
        """The labeller of the store; ``device`` may have any name."""
        injectors = [FaultInjector(fault, f"{self.marks}/{number}") for number, fault in enumerate(self.faults)]
        inject(injectors, LOADING, device)
        if self.run_log is not None:
            check_run_is_here(open_storage(self.store), self.run_log)
        labeller = fake_labeller(store.open(self.store), self.label_set, max_length=self.max_length)
        return FaultyLabeller(
            **{**vars(labeller), "keep_tokens": self.keep_tokens}, job=self, injectors=injectors, device=device
        )


@dataclass(frozen=True, kw_only=True)
class FaultyLabeller(Labeller):
    """A labeller that takes its time, and into which faults are injected.

    Attributes:
        job: says how long a shard takes.
        injectors: of the job's faults.
        device: of this worker.
    """

    job: FakeJob
    injectors: list[FaultInjector]
    device: str

    def compute(self, prepared: Prepared, tick: Tick) -> Computed:
        """Compute as a `Labeller` does, after a while; faults are due before the last batch."""
        if self.job.begun is not None:
            with Path(self.job.begun).open("a", encoding="utf-8") as file:
                file.write(f"{prepared.shard}\n")
        _pass_time(self.job.seconds_per_shard, tick)
        while self.job.waits_for is not None and not Path(self.job.waits_for).exists():
            _pass_time(_TICK_SECONDS, tick)
        encoder = FakeEncoder(
            len(self.permutation),
            self.encoding.vocab_size,
            lambda: inject(self.injectors, prepared.shard, self.device),
        )
        return Labeller.compute(dataclasses.replace(self, encoder=encoder), prepared, tick)


def fake_labeller(snapshot: Store, label_set: str, *, max_length: int = 64) -> Labeller:
    """A labeller that needs no model and keeps its tokens."""
    encoding, classes = fake_encoding(max_length), len(snapshot.header.classes)
    return Labeller(
        snapshot=snapshot,
        labels=snapshot.label_set(label_set),
        encoder=FakeEncoder(classes, encoding.vocab_size),
        encoding=encoding,
        permutation=list(range(classes)),
        keep_tokens=True,
    )


def fake_encoding(max_length: int) -> Encoding:
    """A real encoding whose tokens are the bytes of the text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return Encoding(tokenizer, max_length=max_length)


class FakeEncoder:
    """Logits from token ids without a model: sums of made-up weights.

    Args:
        classes: how many.
        vocab_size: of the token ids.
        before_last_batch: called before the last batch; for faults.
    """

    def __init__(self, classes: int, vocab_size: int, before_last_batch: Callable[[], None] = lambda: None) -> None:
        self.dtype, self.path, self.bound = "fp32", "fake", BOUNDS["fp32"]
        self.splits = 0
        self.busy_seconds = 0.0
        self._weights = np.sin(np.arange(classes * vocab_size, dtype=np.float32)).reshape(classes, vocab_size)
        self._before_last_batch = before_last_batch

    def plan(self, tokens: Tokens) -> Plan:
        """Batches of at most 256 padded tokens."""
        return plan(tokens.lengths, budget=_BUDGET)

    def computed_tokens(self, tokens: Tokens, batches: Plan) -> int:
        """Tokens that ``batches`` compute, padding included."""
        return waste(batches, tokens.lengths).padded

    def ceiling(self) -> float:
        """10^12 operations a second."""
        return 1e12

    def flops(self, tokens: Tokens) -> float:
        """One product and one sum for each token and class."""
        return 2.0 * len(self._weights) * float(tokens.lengths.sum())

    def logits(self, tokens: Tokens, batches: Plan, *, tick: Tick = silent) -> npt.NDArray[np.float32]:
        """(rows, classes) float32, in the order of ``tokens``."""
        outputs = []
        done = 0
        for number, batch in enumerate(batches, start=1):
            try:
                if number == len(batches):
                    self._before_last_batch()
                outputs.append(self._compute(tokens, batch))
            except Exception as error:
                error.add_note(f"in batch {number} of {len(batches)} ({len(batch)} rows)")
                raise
            done += len(batch)
            tick("computing logits", done, len(tokens.truncated))
        return restore(batches, outputs) if outputs else np.empty((0, len(self._weights)), np.float32)

    def exact_logits(self, tokens: Tokens, row: int) -> npt.NDArray[np.float32]:
        """(classes,) float32 of one row."""
        return self._compute(tokens, np.array([row])).reshape(-1)

    def _compute(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        ids, real = pad(tokens.ids, tokens.offsets, rows, pad_id=0)
        sums: npt.NDArray[np.float32] = (self._weights[:, ids] * real).sum(axis=2).T
        return sums


def _pass_time(seconds: float, tick: Tick) -> None:
    for _ in range(round(seconds / _TICK_SECONDS)):
        time.sleep(_TICK_SECONDS)
        tick("waiting", 0, None)
