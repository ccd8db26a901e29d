"""Rows of the files that are refused: how many for each reason, the first in full, and what rows of the store lack."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from engine.inputs.labels.spelling import LEFT_OUT
from engine.inputs.messages import SHOWN
from store.rows.row_set import RowNumbers

NO_ANSWER = "no answer"
_LONGEST = 80  # characters of a reason that a row of the store keeps
_NONE = -1


class Refusals:
    """Takes in refused rows, in any order.

    Attributes:
        counts: how many rows are refused for each reason.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, list[tuple[int, str]]] = {}
        self._rows: list[RowNumbers] = []
        self._numbers: list[npt.NDArray[np.int64]] = []
        self._codes: list[npt.NDArray[np.int64]] = []

    def add(
        self,
        reason: str,
        numbers: npt.NDArray[np.int64],
        rows: RowNumbers,
        *,
        detail: Callable[[int], str],
        together: bool = False,
    ) -> None:
        """Refuse some rows, for the same reason.

        Args:
            reason: in words that are equal for equal faults.
            numbers: (n,) of the rows among all rows of all files, ascending.
            rows: (n,) the rows of the store that they are about; below 0 if none is.
            detail: the place of a row, by its place in ``numbers``, and all that is to be said of it.
            together: the first row says it for all.
        """
        if not len(numbers):
            return
        self.counts[reason] += len(numbers)
        first = self._first.setdefault(reason, [])
        shown = min(1 if together else len(numbers), SHOWN - len(first))
        first += [(int(numbers[at]), detail(at)) for at in range(shown)]
        known = rows >= 0
        code = list(self._first).index(reason)
        self._rows.append(rows[known])
        self._numbers.append(numbers[known])
        self._codes.append(np.full(int(known.sum()), code))

    @property
    def total(self) -> int:
        """How many rows are refused, but for those that the user's map leaves out."""
        return self.counts.total() - self.left_out

    @property
    def left_out(self) -> int:
        """How many rows have a label that is none by the user's map."""
        return self.counts[LEFT_OUT]

    def reasons(self) -> list[str]:
        """The first refused rows in their order, each with its place and why."""
        first = sorted(pair for reason, pairs in self._first.items() if reason != LEFT_OUT for pair in pairs)
        return [text for _, text in first[:SHOWN]]

    def failures(self, answered: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int16], list[str]]:
        """Why rows of the store have no logits.

        Args:
            answered: (rows,) whether a row of the store has an answer that counts.

        Returns:
            (rows,) for each row without an answer the place of its reason among the texts, for others -1; the texts.
            Of several refused answers to a row the first one says it.
        """
        texts = [NO_ANSWER, *self._first]
        codes = np.where(answered, np.int16(_NONE), np.int16(0))
        if self._rows:
            rows, numbers, found = (np.concatenate(parts) for parts in (self._rows, self._numbers, self._codes))
            last_first = np.argsort(numbers, kind="stable")[::-1]
            rows, found = rows[last_first], found[last_first]
            lacking = ~answered[rows]
            codes[rows[lacking]] = found[lacking] + 1
        return codes, texts


def short(problem: str) -> str:
    """The fault of a row in few words: without the way out, which may name a file."""
    return problem.split(";")[0].split(" (")[0].split(": ")[0][:_LONGEST]


def by_reason(problems: Sequence[str | None]) -> dict[str, npt.NDArray[np.int64]]:
    """The places of those of ``problems`` that are there, by their `short` words."""
    found: dict[str, list[int]] = {}
    for at, problem in enumerate(problems):
        if problem is not None:
            found.setdefault(short(problem), []).append(at)
    return {reason: np.array(places, np.int64) for reason, places in found.items()}
