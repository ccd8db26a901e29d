"""A classifier and texts → its answers, in fp32, and how long they took."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.compute.device import best_device, default_budget, worker_processes
from engine.compute.encoder import Encoder
from engine.models.classifier import Classifier
from engine.progress import Tick
from store.families.labels import softmax


class Limits(Protocol):
    """How a model is run."""

    @property
    def max_length(self) -> int | None:
        """Tokens a row; by the model if None."""

    @property
    def tokens_per_batch(self) -> int | None:
        """The token budget; by the device if None."""


@dataclass(frozen=True, kw_only=True)
class ModelAnswers:
    """A model's answers for some rows.

    Attributes:
        logits: (rows, classes).
        probabilities: (rows, classes).
        classes: (rows,) the most probable ones.
        seconds: to tokenise and compute.
    """

    logits: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]
    seconds: float


def answers_of(
    model: Classifier, texts: list[str], limits: Limits, tick: Tick, *, order: list[int] | None = None
) -> ModelAnswers:
    """Run ``model`` on the ``texts``; ``order`` permutes its classes."""
    logits, seconds = _logits(model, texts, limits, tick)
    logits = logits if order is None else logits[:, order]
    probabilities = softmax(logits)
    return ModelAnswers(
        logits=logits, probabilities=probabilities, classes=probabilities.argmax(axis=1), seconds=seconds
    )


def _logits(model: Classifier, texts: list[str], limits: Limits, tick: Tick) -> tuple[npt.NDArray[np.float32], float]:
    """(rows, classes) float32 logits of ``texts``, in fp32 on the best device; seconds to tokenise and compute."""
    device, encoding = best_device(), model.encoding(limits.max_length)
    budget = limits.tokens_per_batch or default_budget(device)
    processes = worker_processes(threads=1)
    encoder = Encoder(model, device=device, budget=budget, longest=encoding.max_length, processes=processes)
    started = time.perf_counter()
    tokens = encoding.encode(texts)
    logits = encoder.logits(tokens, encoder.plan(tokens), tick=tick)
    return logits, time.perf_counter() - started
