"""Logits and gold labels → the temperature that makes probabilities honest. Pure numpy."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.evaluation.metrics import brier_score, expected_calibration_error, log_loss

FOLDS = 5
COLDEST, HOTTEST = 1e-2, 1e2
_HALVINGS = 60

Logits = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def fit_temperature(logits: Logits, gold: Labels) -> float:
    """The T in [0.01, 100] with the least log-loss of softmax(logits / T): the loss is convex in 1 / T."""
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)  # of log(1 / T)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(logits, gold, float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def slope(logits: Logits, gold: Labels, inverse: float) -> float:
    """The derivative of the mean log-loss by 1 / T: the mean logit that is expected less the mean one that is right."""
    expected = (probabilities(logits, 1 / inverse) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(gold)), gold]).mean())


def standard_error(logits: Logits, temperature: float) -> float:
    """Of a fitted T, by its Fisher information: T² / √(rows · mean variance of a row's logits)."""
    p = probabilities(logits, temperature)
    variance = (p * logits**2).sum(axis=1) - (p * logits).sum(axis=1) ** 2
    return float(temperature**2 / np.sqrt(max(variance.sum(), np.finfo(np.float64).tiny)))


def fold_temperatures(logits: Logits, gold: Labels, *, folds: int = FOLDS) -> npt.NDArray[np.float64]:
    """(rows,) for each row the temperature that was fitted on the folds that it is not in."""
    fold_of = np.random.default_rng(0).permutation(len(gold)) % folds
    fitted = [fit_temperature(logits[fold_of != fold], gold[fold_of != fold]) for fold in range(folds)]
    return np.array(fitted)[fold_of]


def probabilities(logits: Logits, temperature: Any) -> Logits:
    """Softmax of (rows, classes) logits over a temperature, or (rows, 1) of them."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    raised = np.exp(scaled)
    softmax: Logits = raised / raised.sum(axis=1, keepdims=True)
    return softmax


def figures(gold: Labels, p: Logits) -> dict[str, float]:
    """How good (rows, classes) probabilities are."""
    return {
        "expected_calibration_error": expected_calibration_error(gold, p),
        "brier_score": brier_score(gold, p),
        "log_loss": log_loss(gold, p),
    }
