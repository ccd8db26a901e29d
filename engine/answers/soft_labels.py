"""Answers of some rows → their logits as a store keeps them: log-probabilities less the largest of the row, in float16.

So softmax gives the probabilities back, to some 0.001 of their logarithm. No probability is 0 or 1: what is smaller
than `SMALLEST` is stored as that, since log 0 is infinite.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.answers.agreement import Agreement
from engine.answers.columns import LOGITS, PROBABILITIES
from engine.answers.judge import Answers
from store.rows.row_set import RowNumbers

SMALLEST = 1e-6
_LEAST = float(np.finfo(np.float16).min)

Floats = npt.NDArray[np.float64]
Halves = npt.NDArray[np.float16]


def mean_logits(answers: Answers, part: slice, *, classes: int, hard: float) -> tuple[RowNumbers, Halves]:
    """The logits of the rows of some answers.

    The probabilities of several annotators are averaged.

    Args:
        answers: all of them.
        part: their places, with all answers to each row.
        classes: of the store.
        hard: the probability of a named class without a confidence.

    Returns:
        (n,) the rows, ascending, and (n, classes) their logits.
    """
    logs = _logs(answers, part, classes=classes, hard=hard)
    rows, starts, counts = np.unique(answers.rows[part], return_index=True, return_counts=True)
    if len(rows) < len(logs):
        logs = np.logaddexp.reduceat(logs, starts, axis=0) - np.log(counts)[:, None]
    return rows, as_stored(logs)


def as_stored(logs: Floats) -> Halves:
    """Logits, (n, classes), less the largest of each row, within the range of float16."""
    if not len(logs):
        return logs.astype(np.float16)
    halves: Halves = np.maximum(logs - logs.max(axis=1, keepdims=True), _LEAST).astype(np.float16)
    return halves


def add_units(agreement: Agreement, answers: Answers, part: slice, *, classes: int) -> None:
    """Take the rows of some answers into ``agreement``; arguments as of `mean_logits`."""
    rows, units = np.unique(answers.rows[part], return_inverse=True)
    places = units * classes + answers.classes[part]
    counts = np.bincount(places, minlength=len(rows) * classes)
    agreement.add(counts.reshape(len(rows), classes))


def _logs(answers: Answers, part: slice, *, classes: int, hard: float) -> Floats:
    """(n, classes) log-probabilities of each answer."""
    if answers.scores is None:
        return _clipped(_stated(answers, part, classes=classes, hard=hard))
    scores: npt.NDArray[Any] = answers.scores[answers.positions[part]].astype(np.float64)
    if answers.kind == PROBABILITIES:
        scores = np.clip(scores, 0, None)
        return _clipped(scores / scores.sum(axis=1, keepdims=True))
    assert answers.kind == LOGITS, "labels have no scores"
    shifted = scores - scores.max(axis=1, keepdims=True, initial=-np.inf)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def _stated(answers: Answers, part: slice, *, classes: int, hard: float) -> Floats:
    """(n, classes) the probability that is said of the named class; the others share the rest evenly."""
    named = answers.classes[part]
    sure = np.full(len(named), hard)
    if answers.confidence is not None:
        said = answers.confidence[part].astype(np.float64)
        sure = np.where(np.isnan(said), hard, said)
    probabilities = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(named)), named] = sure
    return probabilities


def _clipped(probabilities: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(probabilities, SMALLEST))
    return logs
