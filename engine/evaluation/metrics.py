"""Gold labels and probabilities → figures. Pure numpy."""

from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
"""(rows,) class indices"""
ECE_BINS = 15


def confusion(gold: Labels, predicted: Labels, *, classes: int) -> npt.NDArray[np.int64]:
    """(classes, classes) counts: gold down, predicted across."""
    counts = np.bincount(gold * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def accuracy(counts: npt.NDArray[np.int64]) -> float:
    """Share of rows on the diagonal of a confusion matrix."""
    return float(np.trace(counts) / counts.sum())


def f1_scores(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(classes,) harmonic mean of precision and recall; 0 for a class that is neither gold nor predicted."""
    hits = np.diag(counts).astype(np.float64)
    sizes = counts.sum(axis=0) + counts.sum(axis=1)
    scores: npt.NDArray[np.float64] = 2 * hits / np.maximum(sizes, 1)
    return scores


def log_loss(gold: Labels, probabilities: npt.NDArray[np.float64]) -> float:
    """Mean negative log-likelihood in nats; a probability of 0 counts as the smallest positive float."""
    chosen = probabilities[np.arange(len(gold)), gold]
    return float(-np.log(np.maximum(chosen, np.finfo(np.float64).tiny)).mean())


def brier_score(gold: Labels, probabilities: npt.NDArray[np.float64]) -> float:
    """Mean over rows of the squared distance from the gold class, summed over all classes (Brier 1950)."""
    chosen = probabilities[np.arange(len(gold)), gold]
    return float(((probabilities**2).sum(axis=1) - 2 * chosen + 1).mean())


def confidence_bins(
    confidence: npt.NDArray[Any], correct: npt.NDArray[Any], *, bins: int = ECE_BINS
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Equal-width bins of confidence: of each its rows, the sum of their confidence, and how many are correct.

    Args:
        confidence: (rows,) the largest probability.
        correct: (rows,) whether that class is the gold one.
        bins: how many.
    """
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    confident, right = (np.bincount(bin_of, weights=values, minlength=bins) for values in (confidence, correct))
    return np.bincount(bin_of, minlength=bins), confident.astype(np.float64), right.astype(np.float64)


def expected_calibration_error(gold: Labels, probabilities: npt.NDArray[Any], *, bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence (Guo et al. 2017)."""
    correct = probabilities.argmax(axis=1) == gold
    _, confident, right = confidence_bins(probabilities.max(axis=1), correct, bins=bins)
    return float(np.abs(confident - right).sum() / len(gold))
