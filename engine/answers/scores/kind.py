"""Scores of many rows → whether they are probabilities or logits, told by all of them, or a refusal with the way.

Probabilities are from 0 to 1, and those of a row sum to 1, as far as they were rounded. What might be either is never
guessed: percentages, marks of 0 and 1, and scores that are probabilities in some rows alone.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.answers.columns import LOGITS, PROBABILITIES
from engine.errors import InputError
from engine.inputs.messages import counted

_EXACT = 1e-6
_HALF_PERCENT, _MOST_OFF = 0.005, 0.05  # a score of two decimals is off by half of the last one
_FEW = 0.1  # of the rows: logits that happen to look like probabilities
_WAY = f"say which they are with --scores {PROBABILITIES} (rows whose scores are none are refused) or --scores {LOGITS}"

Mask = npt.NDArray[np.bool_]


def rounding(classes: int) -> float:
    """How far probabilities of so many classes may be from a sum of 1."""
    return min(_HALF_PERCENT * classes, _MOST_OFF)


def in_range(scores: npt.NDArray[Any]) -> Mask:
    """(n,) whether all scores of a row, (n, classes), are from 0 to 1."""
    found: Mask = np.all((scores >= -_EXACT) & (scores <= 1 + _EXACT), axis=1)
    return found


def are_probabilities(scores: npt.NDArray[Any]) -> Mask:
    """(n,) whether the scores of a row, (n, classes), are from 0 to 1 and sum to 1."""
    sums = scores.sum(axis=1, dtype=np.float64)
    found: Mask = in_range(scores) & (np.abs(sums - 1) <= rounding(scores.shape[1]) + _EXACT)
    return found


@dataclass(kw_only=True)
class ScoreShapes:
    """What rows of scores look like, counted.

    Attributes:
        rows: all of them.
        in_range: those whose scores are from 0 to 1.
        probabilities: those whose scores sum to 1, too.
        percentages: those whose scores are from 0 on and sum to 100.
        marks: those with a 1 and zeros.
        declared: what the prefixes of the columns say that they are.
        first_other: the place and the sum of the first row that is no probabilities; empty if all are.
    """

    rows: int = 0
    in_range: int = 0
    probabilities: int = 0
    percentages: int = 0
    marks: int = 0
    declared: set[str] = field(default_factory=set)
    first_other: str = ""

    def add(self, scores: npt.NDArray[np.float64], *, file: str, rows: npt.NDArray[np.int64]) -> None:
        """Take in ``scores``, (n, classes), all finite, of ``rows``, (n,), of ``file``."""
        sums, probable = scores.sum(axis=1), are_probabilities(scores)
        off = np.abs(sums - 100) <= 100 * rounding(scores.shape[1])
        self.rows += len(scores)
        self.in_range += int(in_range(scores).sum())
        self.probabilities += int(probable.sum())
        self.percentages += int(((scores >= 0).all(axis=1) & off).sum())
        self.marks += int((((scores == 0) | (scores == 1)).all(axis=1) & (sums == 1)).sum())
        if not self.first_other and not probable.all():
            at = int(np.flatnonzero(~probable)[0])
            shown = ", ".join(f"{score:.6g}" for score in scores[at][:5]) + ", …" * (scores.shape[1] > 5)
            self.first_other = f"{file} row {rows[at]:,} has {shown}"


def decide_kind(shapes: ScoreShapes, given: str | None, *, where: str) -> tuple[str, str]:
    """What the scores are, and how that is known, in words.

    Args:
        shapes: of all rows.
        given: what the user says; None if it is to be found out.
        where: the columns, for messages.

    Raises:
        InputError: it is doubtful.
    """
    if given is not None:
        return given, f"as --scores says: {_seen(shapes)}"
    if why := _doubt(shapes):
        raise InputError(f"{where}: {why}; {_WAY}")
    kind = PROBABILITIES if shapes.probabilities == shapes.rows else LOGITS
    return kind, _seen(shapes)


def _seen(shapes: ScoreShapes) -> str:
    if shapes.probabilities == shapes.rows:
        return f"the scores of all {counted(shapes.rows, 'row')} are from 0 to 1 and sum to 1"
    return (
        f"the scores of {shapes.rows - shapes.probabilities:,} of {counted(shapes.rows, 'row')} are not from 0 to 1, "
        f"or do not sum to 1 ({shapes.first_other})"
    )


def _doubt(shapes: ScoreShapes) -> str:
    """Why nothing can be said; empty if it can."""
    rows, probable = shapes.rows, shapes.probabilities
    if shapes.marks == rows:
        return (
            "the scores of every row are a single 1 and zeros: answers without a probability, of which --hard takes "
            "account if the name of the class stands in one column"
        )
    if probable == rows:
        if LOGITS in shapes.declared:
            return f"the columns are called logits, and the scores of all {counted(rows, 'row')} are probabilities"
        return ""
    if shapes.percentages > _FEW * rows:
        return f"the scores of {shapes.percentages:,} of {counted(rows, 'row')} sum to 100: divide percentages by 100"
    if shapes.in_range == rows:
        return (
            f"the scores are all from 0 to 1, and those of {rows - probable:,} of {counted(rows, 'row')} do not sum to "
            f"1 ({shapes.first_other})"
        )
    if PROBABILITIES in shapes.declared:
        return f"the columns are called probabilities, and {_seen(shapes)}"
    if probable > _FEW * rows:
        return f"{probable:,} of {counted(rows, 'row')} have probabilities, and the others not ({shapes.first_other})"
    return ""
