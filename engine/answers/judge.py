"""Gathered answers → those that count, each once, and what they stand for.

A row of the store has one answer of each annotator. One that comes again counts once if it is the same; where answers
differ, none of them is taken. Which class a label is, is decided as everywhere; what scores are, by all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.answers.columns import PROBABILITIES
from engine.answers.gathered import Codes, Gathered
from engine.answers.id_index import IdIndex
from engine.answers.scores.kind import are_probabilities, decide_kind
from engine.inputs.labels.classes import LabelIndex, check_not_foreign, index_labels
from engine.inputs.labels.refused import UNKNOWN_LABEL, refused_line, unknown_label
from engine.inputs.messages import listed, not_labels_note
from engine.inputs.options import LabelMap
from store.rows.row_set import RowNumbers
from store.selections.csv_safe import plain_cell

LABELS = "labels"
_AT_ONCE = 1 << 16  # answers that are judged
_ROWS_AT_ONCE = 1 << 12  # of the store; each has a number for each class
_LONGEST_ID = 200  # characters that are shown

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers that count, by the rows of the store.

    Attributes:
        kind: what they are: ``labels``, ``probabilities`` or ``logits``.
        rows: (n,) ascending; one that several annotators answered comes several times.
        classes: (n,) int32, the named class, or that of the largest score.
        confidence: (n,) float32, the probability of the named class; not a number where it is not said; None if no
            answer says it.
        scores: (all answers, classes) of scores; None if there are labels.
        positions: (n,) the places of these answers among them.
        repeated: how many others say the same as one of these.
        notes: what a user has to know of how they are read.
    """

    kind: str
    rows: RowNumbers
    classes: npt.NDArray[np.int32]
    confidence: npt.NDArray[np.float32] | None
    scores: Scores | None
    positions: Positions
    repeated: int
    notes: list[str]

    def parts(self, first: int, stop: int) -> Iterator[slice]:
        """The places of the answers to the rows of the store from ``first`` to before ``stop``, some rows at a time."""
        for begin in range(first, stop, _ROWS_AT_ONCE):
            end = min(begin + _ROWS_AT_ONCE, stop)
            yield slice(*np.searchsorted(self.rows, [begin, end]).tolist())


def judge(
    gathered: Gathered, index: IdIndex, classes: Sequence[str], *, kind: str | None, mapped: LabelMap = ()
) -> Answers:
    """Decide which of the answers count. The others are added to the refusals.

    Args:
        gathered: all of them; its arrays are taken out of it.
        index: the ids of the store.
        classes: of the store.
        kind: what scores are; found out if None.
        mapped: the map of labels that the user gave.

    Raises:
        InputError: no label is a class, or could be two; scores could be probabilities or logits.
    """
    return _Judge(gathered, index, classes, mapped).answers(kind)


class _Judge:
    """Answers, and which of them are not refused."""

    def __init__(self, gathered: Gathered, index: IdIndex, classes: Sequence[str], mapped: LabelMap) -> None:
        self._gathered = gathered
        self._mapped = mapped
        self._index = index
        self._classes = list(classes)
        self._where = listed([file["path"] for file in gathered.files[:3]])
        self._numbers: Positions = gathered.array("numbers", np.int64)
        self._rows: RowNumbers = gathered.array("rows", np.int64)
        has_names = bool(gathered.annotators.codes)
        self._annotators: Codes | None = gathered.array("annotators", np.int32) if has_names else None
        self._has_scores = gathered.has_scores is True
        self._scores: Scores | None = gathered.scores.all() if self._has_scores else None
        self._named: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self._confidence: npt.NDArray[np.float32] | None = None

    def answers(self, kind: str | None) -> Answers:
        """Those that count."""
        if self._has_scores:
            found, notes, fit = self._judge_scores(kind)
        else:
            found, notes, fit = LABELS, *self._judge_labels()
            confidence: npt.NDArray[np.float32] = self._gathered.array("confidence", np.float32)
            self._confidence = confidence if len(confidence) else None
        positions, repeated = self._once(fit)
        return Answers(
            kind=found,
            rows=self._rows[positions],
            classes=self._named[positions],
            confidence=None if self._confidence is None else self._confidence[positions],
            scores=self._scores,
            positions=positions,
            repeated=repeated,
            notes=notes,
        )

    def _judge_labels(self) -> tuple[list[str], npt.NDArray[np.bool_]]:
        """Notes, and which answers name a class."""
        gathered = self._gathered
        words = [plain_cell(word) or word for word in gathered.labels.codes]
        found = index_labels(
            set(words),
            self._classes,
            where=self._where,
            not_labels=gathered.not_labels,
            columns=gathered.label_columns,
            beside=gathered.beside,
        )
        check_not_foreign(found, self._classes, where=self._where, beside=gathered.beside)
        codes: Codes = gathered.array("labels", np.int32)
        self._named = np.array([found.index.get(word, -1) for word in words], np.int32)[codes]
        fit = self._named >= 0
        self._refuse_unknown(np.flatnonzero(~fit), codes, words, found)
        return [
            *found.notes,
            *([not_labels_note(gathered.not_labels, self._classes)] if gathered.not_labels else []),
        ], fit

    def _refuse_unknown(self, unknown: Positions, codes: Codes, words: list[str], found: LabelIndex) -> None:
        """Refuse the answers at ``unknown``: those of each label together, the first label first."""
        of = codes[unknown]
        order = np.argsort(of, kind="stable")
        groups = np.split(unknown[order], np.flatnonzero(np.diff(of[order])) + 1) if len(of) else []
        for members in sorted(groups, key=lambda group: int(group[0])):
            problem = unknown_label(words[codes[members[0]]], found, self._classes, mapped=self._mapped)
            self._refuse(UNKNOWN_LABEL, members, lambda _, said=problem: said, together=True)

    def _judge_scores(self, given: str | None) -> tuple[str, list[str], npt.NDArray[np.bool_]]:
        """What the scores are, notes, and which answers have such scores."""
        assert self._scores is not None, "there are labels instead"
        scores, gathered = self._scores, self._gathered
        columns = listed(map(repr, gathered.files[0]["columns"]["scores"]))
        kind, how = decide_kind(gathered.shapes, given, where=f"{self._where}: {columns}")
        is_doubtful = kind == PROBABILITIES and gathered.shapes.probabilities < gathered.shapes.rows
        fit = np.ones(len(scores), np.bool_)
        self._named = np.empty(len(scores), np.int32)
        for start in range(0, len(scores), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            self._named[part] = scores[part].argmax(axis=1)
            if is_doubtful:
                fit[part] = are_probabilities(scores[part])
        bad = np.flatnonzero(~fit)

        def why(at: int) -> str:
            row = scores[bad[at]]
            shown = ", ".join(f"{score:.6g}" for score in row[:5]) + ", …" * (len(row) > 5)
            return f"the scores {shown} are no probabilities: these are from 0 to 1 and sum to 1"

        self._refuse("the scores are no probabilities", bad, why)
        return kind, [f"{self._where}: {columns} are read as {kind}: {how}"], fit

    def _once(self, fit: npt.NDArray[np.bool_]) -> tuple[Positions, int]:
        """The places of the answers that count, by row and annotator, and how many only repeat one of them."""
        at = np.flatnonzero(fit)
        at = at[np.argsort(self._rows[at], kind="stable")]
        if self._annotators is not None:
            at = at[np.lexsort((self._annotators[at], self._rows[at]))]
        again = np.zeros(len(at), np.bool_)
        if len(at):
            again[1:] = self._rows[at[1:]] == self._rows[at[:-1]]
            if self._annotators is not None:
                again[1:] &= self._annotators[at[1:]] == self._annotators[at[:-1]]
        differs = again.copy()
        later = np.flatnonzero(again)
        differs[later] = ~self._are_same(at[later], at[later - 1])
        groups = np.cumsum(~again) - 1
        contradicted = np.zeros(len(at), np.bool_)
        contradicted[groups[differs]] = True
        is_bad = contradicted[groups]
        self._refuse_different(at, groups, is_bad)
        return at[~again & ~is_bad], int((again & ~is_bad).sum())

    def _are_same(self, some: Positions, others: Positions) -> npt.NDArray[np.bool_]:
        """(n,) whether the answers at two places are the same."""
        same: npt.NDArray[np.bool_] = np.empty(len(some), np.bool_)
        for start in range(0, len(some), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            one, other = some[part], others[part]
            if self._scores is not None:
                same[part] = (self._scores[one] == self._scores[other]).all(axis=1)
                continue
            same[part] = self._named[one] == self._named[other]
            if self._confidence is not None:
                values, expected = self._confidence[one], self._confidence[other]
                same[part] &= (values == expected) | (np.isnan(values) & np.isnan(expected))
        return same

    def _refuse_different(self, at: Positions, groups: Positions, is_bad: npt.NDArray[np.bool_]) -> None:
        """Refuse all answers of groups in which they differ."""
        if not is_bad.any():
            return
        members = np.flatnonzero(is_bad)
        order = np.argsort(self._numbers[at[members]])
        members = members[order]
        way = "" if self._annotators is not None else "; if several annotators answered, name their column: --annotator"

        def why(one: int) -> str:
            group = at[np.flatnonzero(groups == groups[members[one]])]
            said: dict[str, str] = {}
            for place in group:
                said.setdefault(self._words(int(place)), self._gathered.place(int(self._numbers[place])))
            words = " and ".join(f"{answer} in {place}" for answer, place in list(said.items())[:3])
            id_ = self._index.id(int(self._rows[group[0]]))[:_LONGEST_ID]
            return f"id {id_!r} has different answers: {words}{way}"

        self._refuse("different answers to one id", at[members], why)

    def _words(self, place: int) -> str:
        """An answer, for a message."""
        if self._scores is not None:
            return f"({', '.join(f'{score:.6g}' for score in self._scores[place][:5])})"
        name = repr(self._classes[self._named[place]])
        confidence: Any = None if self._confidence is None else self._confidence[place]
        return name if confidence is None or np.isnan(confidence) else f"{name} at {confidence:.6g}"

    def _refuse(self, reason: str, positions: Positions, why: Any, *, together: bool = False) -> None:
        numbers, rows = self._numbers[positions], len(positions) if together else 1
        self._gathered.refusals.add(
            reason,
            numbers,
            self._rows[positions],
            detail=lambda at: refused_line(self._gathered.place(int(numbers[at])), why(at), rows=rows),
            together=together,
        )
