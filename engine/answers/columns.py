"""Columns of a file of answers → which of them hold the scores of classes, the confidence and the annotator.

Scores stand in a column for each class, called as the class is, perhaps with a prefix; answers without scores in one
column of labels.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from engine.errors import InputError, MissingColumnError
from engine.inputs.by_name.near_columns import did_you_mean
from engine.inputs.columns import Columns, LabelColumns
from engine.inputs.messages import listed

PROBABILITIES, LOGITS = "probabilities", "logits"
KINDS = (PROBABILITIES, LOGITS)
_PREFIXES: dict[str, str | None] = {
    "": None,
    "score_": None,
    "probability_": PROBABILITIES,
    "p_": PROBABILITIES,
    "logit_": LOGITS,
}
_LABELS = ("label", "labels")
_MAY_BE_CONFIDENCE = ("confidence", "probability", "prob", "score")


@dataclass(frozen=True, kw_only=True)
class ScoreColumns:
    """The columns of the scores of all classes.

    Attributes:
        names: one for each class, in the order of the classes.
        declared: what their prefix says that they hold: ``probabilities`` or ``logits``; None if it does not say.
    """

    names: tuple[str, ...]
    declared: str | None


@dataclass(frozen=True, kw_only=True)
class AnswerColumns(LabelColumns):
    """What the user says of the columns of a file of answers, and the classes after which columns may be named.

    Attributes:
        confidence: column of the probability of the named class; None if there is none.
        annotator: column that says who answered; None if each row has one answer.
        scores: what the columns of scores hold: ``probabilities`` or ``logits``; found out if None.
        classes: of the store.
    """

    confidence: str | None = None
    annotator: str | None = None
    scores: str | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.scores not in (None, *KINDS):
            raise InputError(f"--scores is {self.scores!r}; it must be {' or '.join(KINDS)}")

    def needs_label(self, names: Sequence[str], *, file: str) -> bool:
        """Whether a column of labels is needed: if it is named, or not every class has a column of scores.

        Raises:
            MissingColumnError: a named column is missing, or some classes alone have a column of scores.
        """
        for flag, name in (("--confidence", self.confidence), ("--annotator", self.annotator)):
            if name is not None and name not in names:
                near = did_you_mean(name, names)
                raise MissingColumnError(
                    f"{file}: there is no column {name!r} for {flag}{near} (columns: {listed(names)})"
                )
        if self.label is not None or self.confidence is not None:
            return True
        if self.score_columns(names, file=file) is not None:
            return False
        before = () if self.before is None else self.before.label
        if not any(name.lower() in _LABELS or name in before for name in names):
            self._refuse_some(names, file)
        return True

    def keeps(self, name: str) -> bool:
        """Whether a column beside the ids and the labels is read."""
        is_named = name in (self.confidence, self.annotator) or name.casefold() in _MAY_BE_CONFIDENCE
        return is_named or _plain(name) in _score_names(self.classes) or super().keeps(name)

    def score_columns(self, names: Sequence[str], *, file: str) -> ScoreColumns | None:
        """The columns of ``names`` that hold the scores of all classes; None if not every class has one.

        Raises:
            InputError: there are several for each class.
        """
        found = [
            ScoreColumns(names=tuple(filter(None, columns)), declared=declared)
            for prefix, declared in _PREFIXES.items()
            if all(columns := [_column(f"{prefix}{class_}", names) for class_ in self.classes])
            and len({*columns}) == len(columns)
        ]
        if self.scores is not None and len(found) > 1:
            found = [columns for columns in found if columns.declared == self.scores] or found
        if len(found) > 1:
            sets = " and ".join(f"({', '.join(map(repr, columns.names))})" for columns in found)
            way = "say which with --scores" if self.scores is None else "leave out or rename all of them but one"
            raise InputError(f"{file}: {sets} could each be the scores of the classes; {way}")
        return found[0] if found and self.classes else None

    def _refuse_some(self, names: Sequence[str], file: str) -> None:
        """Refuse columns of scores that only some classes have.

        Raises:
            MissingColumnError: there are such.
        """
        for prefix in _PREFIXES:
            columns = {class_: _column(f"{prefix}{class_}", names) for class_ in self.classes}
            there = [column for column in columns.values() if column is not None]
            lacking = [class_ for class_, column in columns.items() if column is None]
            if there and lacking:
                raise MissingColumnError(
                    f"{file}: the scores of some classes have a column ({listed(map(repr, there))}), and those of "
                    f"{listed(map(repr, lacking))} have none: write {prefix + lacking[0]!r} too, as 1 less the others "
                    "if they are probabilities; or name the column that has the names of classes with --label"
                )


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which of the kept columns of one file is what, by the names under which they are kept.

    Attributes:
        scores: those of the classes, in their order; None if the file has a column of labels instead.
        declared: as in `ScoreColumns`.
        confidence: the probability of the named class.
        annotator: who answered.
        card: the columns as the file names them, for the card.
        notes: what a user has to know of the choice.
    """

    scores: tuple[str, ...] | None
    declared: str | None
    confidence: str | None
    annotator: str | None
    card: dict[str, str | list[str] | None]
    notes: tuple[str, ...]

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns that say nothing of labels in another column."""
        return tuple(name for name in (*(self.scores or ()), self.confidence, self.annotator) if name is not None)


def roles_of(columns: Columns, wanted: AnswerColumns, *, file: str) -> Roles:
    """The roles of the columns of ``file``, which were found with ``wanted``.

    Raises:
        InputError: the scores are of a type that is no number, or two columns could be them.
    """
    kept = dict(zip(columns.given(columns.extras), columns.extras, strict=True))
    scores = wanted.score_columns(list(kept), file=file) if columns.label is None else None
    if columns.label is None and scores is None:
        raise InputError(f"{file}: the columns of scores hold no numbers; write one number for each class")
    return Roles(
        scores=None if scores is None else tuple(kept[name] for name in scores.names),
        declared=None if scores is None else scores.declared,
        confidence=kept.get(wanted.confidence or ""),
        annotator=kept.get(wanted.annotator or ""),
        card={
            "id": columns.id,
            "label": columns.label,
            "scores": None if scores is None else list(scores.names),
            "confidence": wanted.confidence,
            "annotator": wanted.annotator,
        },
        notes=tuple(_notes(list(kept), wanted, file, has_scores=scores is not None)),
    )


def _notes(kept: Sequence[str], wanted: AnswerColumns, file: str, *, has_scores: bool) -> list[str]:
    """Columns that a user might take for read."""
    if has_scores:
        unread = [name for name in kept if name.lower() in _LABELS]
        way = f"--label {shlex.quote(unread[0])} reads it in their place" if unread else ""
        return [f"{file}: scores are read, and the column {unread[0]!r} is not; {way}"] if unread else []
    unread = [name for name in kept if name.casefold() in _MAY_BE_CONFIDENCE and name != wanted.annotator]
    if wanted.confidence is not None or not unread:
        return []
    way = f"if it is the probability of the named class: --confidence {shlex.quote(unread[0])}"
    return [f"{file}: the column {unread[0]!r} is not read; {way}"]


def _column(wanted: str, names: Sequence[str]) -> str | None:
    """The one of ``names`` that is ``wanted``: as it is, else but for case, else but for spaces and signs."""
    for same in _SAME:
        found = _by_key(tuple(names), same).get(same(wanted), ())
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "_", name.casefold()).strip("_")


_SAME: tuple[Callable[[str], str], ...] = (str, str.casefold, _plain)


@cache
def _by_key(names: tuple[str, ...], same: Callable[[str], str]) -> dict[str, list[str]]:
    """``names`` by what makes them the same."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(same(name), []).append(name)
    return found


@cache
def _score_names(classes: tuple[str, ...]) -> frozenset[str]:
    """How columns of scores may be called."""
    return frozenset(_plain(prefix + class_) for prefix in _PREFIXES for class_ in classes)
