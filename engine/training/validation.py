"""Labelled rows, tokenised once → the figures of a model that is being trained, again and again."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Backend, Workload
from engine.compute.backends import choose_backend
from engine.compute.device import default_budget
from engine.compute.encoder import Encoder
from engine.errors import TrainingError
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.inputs.labelled import Gold
from engine.models.classifier import Classifier
from engine.tokens.encoding import Encoding
from engine.training.distributed import Ranks
from engine.training.state import LOWER_IS_BETTER, Judge
from store.families.labels import softmax


class ValidationSet:
    """Rows to validate on. Every rank computes a part of them.

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
        """Accuracy, macro F1, log-loss and calibration error of ``model``, which is left in evaluation mode."""
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


@dataclass(frozen=True, kw_only=True)
class Validating:
    """How a model is judged on its way.

    Attributes:
        judge: gives the figures.
        every: steps from one time to the next; at the end of each epoch where None.
        by: the figure by which the best state is chosen.
        patience: stop when so many in a row are not better; never where None.
    """

    judge: Judge
    every: int | None = None
    by: str = "accuracy"
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.by not in LOWER_IS_BETTER:
            raise TrainingError(f"--best-by is {self.by!r}; it is one of {', '.join(LOWER_IS_BETTER)}")


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How the model is judged while it is trained, to keep the best state of all; not at all without inputs.

    Attributes:
        inputs: labelled files. Not those of the final evaluation: what is chosen on rows looks too good on them.
        every: steps from one time to the next; at the end of each epoch where None.
        by: the figure that decides: ``accuracy``, ``macro_f1`` or ``log_loss``.
        patience: stop when so many in a row are not better; never where None.
    """

    inputs: tuple[str, ...] = ()
    every: int | None = None
    by: str = "accuracy"
    patience: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("--validate-every", self.every), ("--patience", self.patience)):
            if value is not None and value < 1:
                raise TrainingError(f"{name} is {value}; it must be at least 1")
        if self.by not in LOWER_IS_BETTER:
            raise TrainingError(f"--best-by is {self.by!r}; it is one of {', '.join(LOWER_IS_BETTER)}")
