"""Validation while a model is trained: labelled rows, tokenised once → figures of the model, again and again.

`ValidationSet` computes the figures, and `Validation` joins both for the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Backend, Workload
from engine.compute.backends import choose_backend
from engine.compute.device import default_budget
from engine.compute.encoder import Encoder
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.inputs.labels.labelled import Gold
from engine.models.classifier import Classifier
from engine.tokens.encoding import Encoding
from engine.training.distributed import Ranks
from engine.training.tasks.config import ValidationConfig
from store.families.labels import softmax

Measure = Callable[[Classifier, Ranks], dict[str, float]]
"""(model, ranks) → figures of the model on validation rows, by name; the same ones on every rank."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The validation of one training.

    Attributes:
        measure: computes the figures.
        config: when, and by which figure the best state is chosen.
    """

    measure: Measure
    config: ValidationConfig = field(default_factory=ValidationConfig)

    def is_due(self, done: int, *, epoch_end: bool) -> bool:
        """Whether to validate after step ``done``, of all epochs; the last step always is, which the loop knows."""
        return done % self.config.every == 0 if self.config.every is not None else epoch_end


class ValidationSet:
    """Labelled rows, tokenised once, as a `Measure`. Every rank computes a part of them.

    Args:
        gold: the rows.
        encoding: of the model.
    """

    def __init__(self, gold: Gold, encoding: Encoding) -> None:
        self._labels = gold.labels
        self._tokens = encoding.encode(gold.texts)
        self._longest = encoding.max_length
        self._backend: Backend | None = None

    def __call__(self, model: Classifier, ranks: Ranks) -> dict[str, float]:
        """Accuracy, macro F1, log-loss (nats) and expected calibration error; the model stays in evaluation mode."""
        probabilities = softmax(self._logits(model, ranks))
        counts = confusion(self._labels, probabilities.argmax(axis=1), classes=probabilities.shape[1])
        return {
            "accuracy": accuracy(counts),
            "macro_f1": float(f1_scores(counts).mean()),
            "log_loss": log_loss(self._labels, probabilities),
            "ece": expected_calibration_error(self._labels, probabilities),
        }

    def _logits(self, model: Classifier, ranks: Ranks) -> npt.NDArray[np.float32]:
        model.module.eval()
        workload = Workload(longest=self._longest, device=ranks.device)
        self._backend = self._backend or choose_backend(model.module, workload)
        encoder = Encoder(
            model,
            device=ranks.device,
            budget=default_budget(ranks.device),
            backend=self._backend,
            longest=self._longest,
        )
        rows = np.arange(ranks.rank, len(self._labels), ranks.count)
        part = self._tokens.some(rows)
        logits = np.zeros((len(self._labels), len(model.classes)), np.float32)
        logits[rows] = encoder.logits(part, encoder.plan(part))
        shared = torch.from_numpy(logits).to(ranks.device)
        ranks.sum(shared, doing="while the model was validated")
        together: npt.NDArray[np.float32] = shared.cpu().numpy()
        return together
