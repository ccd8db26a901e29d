"""Labelled rows, tokenised once → the figures of a model that is being trained, again and again."""

import numpy as np
import numpy.typing as npt
import torch

from engine.encoder import Encoder, default_budget
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.inputs.gold import Gold
from engine.model import Classifier
from engine.packed_model import choose_path
from engine.tokens import Encoding
from engine.training.ranks import Ranks
from store.families.labels import softmax


class HeldOut:
    """Rows to validate on. Every rank computes a part of them.

    Args:
        gold: the rows.
        encoding: of the model.
    """

    def __init__(self, gold: Gold, encoding: Encoding) -> None:
        self._labels = gold.labels
        self._tokens = encoding.encode(gold.texts)
        self._longest = encoding.max_length
        self._path: str | None = None

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
        self._path = self._path or choose_path(model.module, longest=self._longest)
        encoder = Encoder(
            model,
            device=ranks.device,
            budget=default_budget(ranks.device),
            path=self._path,
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
