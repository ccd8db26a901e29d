"""A store's soft labels → a student."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

import store
from engine.device import best_device
from engine.errors import TrainingError
from engine.evaluation.evaluate import EvalConfig, evaluate_trained, read_held_out
from engine.model import Classifier, load_start
from engine.progress import Tick, silent
from engine.stored_tokens import check_tokens
from engine.tokens import Encoding, Tokens
from engine.training.loop import LoopConfig, Step, fit
from engine.training.loss import kl_divergence
from engine.training.trained import Trained, prepare_folder, save_trained
from store import Store
from store.storage import Storage
from store.stream import Stream, StreamConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DistillConfig:
    """A training on soft labels.

    Attributes:
        store: its location, or a `Storage`.
        student: hub id or path to begin with; ``MODEL#layers=1,3,5`` keeps some layers.
        out: folder for the result; new or empty.
        revision: of the hub id.
        labels: the label set; the only one where None.
        max_length: tokens a row; the label set's where None.
        loop: how to train.
        evaluation: labelled files to judge the result on, or none.
    """

    store: str | Storage
    student: str
    out: str
    revision: str | None = None
    labels: str | None = None
    max_length: int | None = None
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(epochs=2, batch_size=64, learning_rate=2e-4))
    evaluation: tuple[str, ...] = ()


def train(config: DistillConfig, *, tick: Tick = silent) -> Trained:
    """Distil a student from a store, judge it, and save it.

    Raises:
        EngineError, StoreError: the store, the model or the folder do not fit.
    """
    out = prepare_folder(config.out)
    made = store.open(config.store)
    labels = complete_label_set(made, config.labels)
    student = load_start(config.student, classes=made.header.classes, revision=config.revision, seed=config.loop.seed)
    encoding = _encoding(made, student, labels, config.max_length)
    wanted = EvalConfig(model=str(out), inputs=config.evaluation, max_length=encoding.max_length)
    held_out = read_held_out(wanted, made.header.classes) if config.evaluation else None
    source = _Source(made, labels, encoding)

    def epoch_steps(epoch: int) -> Iterator[Step]:
        return source.steps(epoch, seed=config.loop.seed, batch_size=config.loop.batch_size)

    stream = source.stream(batch_size=config.loop.batch_size)
    device = best_device()
    epochs = fit(
        student, epoch_steps, kl_divergence, config.loop, steps_per_epoch=stream.steps, device=device, tick=tick
    )
    evaluation = evaluate_trained(student, held_out, wanted, tick=tick) if held_out else None
    trained = Trained(
        out=str(out),
        start=config.student,
        procedure=f"distilled from the label set {labels!r} (KL at temperature 1)",
        classes=made.header.classes,
        rows=stream.rows,
        max_length=encoding.max_length,
        loop=config.loop,
        epochs=epochs,
        evaluation=evaluation,
    )
    save_trained(student, trained, sources=[made.location])
    return trained


def complete_label_set(made: Store, name: str | None) -> str:
    """The label set ``name``, or the only one; all of its shards are there.

    Raises:
        StoreMissingError: there is no such label set.
        TrainingError: shards are missing.
    """
    chosen = made.one_label_set(name)
    missing = made.label_set(chosen).missing()
    if missing:
        raise TrainingError(
            f"the label set {chosen!r} of {made.location} lacks {len(missing)} of {made.header.shards} shards "
            f"(the first is {missing[0]}); run its label command again to finish it"
        )
    return chosen


def _encoding(made: Store, student: Classifier, labels: str, max_length: int | None) -> Encoding:
    if max_length is None:
        card = made.label_set(labels).card() or {}
        max_length = min(card.get("max_length", student.longest), student.longest)
    return student.encoding(max_length)


class _Source:
    """Steps from a store: with its stored tokens where the encoding is equal, else with its texts."""

    def __init__(self, made: Store, labels: str, encoding: Encoding) -> None:
        self._made = made
        self._labels = labels
        self._encoding = encoding
        family = made.tokens(encoding.name)
        self._stored = not family.missing()
        if self._stored:
            check_tokens(family, encoding)
            log.info("the tokens of %s are read from the store", encoding.name)
        else:
            log.info("texts are tokenised on the fly: the store keeps no complete tokens of %s", encoding.name)

    def stream(self, *, batch_size: int, seed: int = 0, epoch: int = 0) -> Stream:
        """The store's stream of one epoch."""
        columns = ("logits",) if self._stored else ("logits", "text")
        encoding = self._encoding.name if self._stored else None
        config = StreamConfig(
            labels=self._labels, columns=columns, encoding=encoding, batch_size=batch_size, seed=seed, epoch=epoch
        )
        return Stream(self._made, config)

    def steps(self, epoch: int, *, seed: int, batch_size: int) -> Iterator[Step]:
        """The steps of one epoch."""
        for batch in self.stream(batch_size=batch_size, seed=seed, epoch=epoch):
            rows = len(batch["row"])
            if self._stored:
                truncated = np.zeros(rows, np.bool_)
                tokens = Tokens(ids=batch["input_ids"], offsets=batch["offsets"], truncated=truncated)
            else:
                tokens = self._encoding.encode(batch["text"].tolist())
            yield Step(tokens=tokens, rows=np.arange(rows), targets=batch["logits"].astype(np.float32))
