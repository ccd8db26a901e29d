"""What a run made of its answers → the card of the label set, and the summary that the user sees."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.answers.agreement import Agreement
from engine.answers.columns import LOGITS
from engine.answers.gathered import Gathered
from engine.answers.judge import LABELS, Answers
from engine.answers.soft_labels import SMALLEST, add_units
from engine.answers.write import Failures, Written
from engine.inputs.labels.spelling import LEFT_OUT
from store import Store
from store.families.label_card import AnswersCard

_DIGITS = 6  # of α and κ: the last ones differ from machine to machine


@dataclass(frozen=True, kw_only=True)
class AnswersSummary:
    """What became of the rows of the files and of the store.

    Attributes:
        store: its location.
        name: of the label set.
        rows: of the store.
        answered: those that have logits now.
        unanswered: those that have none, by the reason.
        input_rows: rows of the files: those used, repeated, left out and refused.
        used: those that count.
        repeated: those that say the same as an earlier one, of the same annotator.
        left_out: those whose label is none by the user's map.
        rejected: those that are refused.
        rejected_for: the same, by the reason.
        reasons: the first refused rows, each as ``file row N: reason``.
        scores: what the files hold: ``labels``, ``probabilities`` or ``logits``.
        hard: the probability of a label without a confidence; None if there are scores.
        annotators: how many there are; None if the files do not say who answered.
        alpha: Krippendorff's nominal α of their answers; None where it is undefined.
        kappa: Fleiss' κ of them; None where rows have different numbers of answers, or it is undefined.
        shards: of the store.
        shards_done: that this run committed.
        shards_mended: whose files were damaged.
    """

    store: str
    name: str
    rows: int
    answered: int
    unanswered: dict[str, int]
    input_rows: int
    used: int
    repeated: int
    left_out: int
    rejected: int
    rejected_for: dict[str, int]
    reasons: list[str]
    scores: str
    hard: float | None
    annotators: int | None
    alpha: float | None
    kappa: float | None
    shards: int
    shards_done: int
    shards_mended: int


def make_card(store: Store, gathered: Gathered, answers: Answers, failures: Failures, *, hard: float) -> AnswersCard:
    """The card of a label set that is made from ``answers``.

    Args:
        store: the store.
        gathered: where they are from.
        answers: those that count.
        failures: of the rows of the store that have none.
        hard: the probability of a label without a confidence.
    """
    codes, texts = failures
    counts = np.bincount(codes.astype(np.int64) + 1, minlength=len(texts) + 1)
    agreement = _agreement(store, answers) if gathered.annotators.codes else None
    return AnswersCard(
        files=gathered.files,
        scores=answers.kind,
        hard=hard if answers.kind == LABELS else None,
        smallest=None if answers.kind == LOGITS else SMALLEST,
        used=len(answers.rows),
        repeated=answers.repeated,
        refused=dict(gathered.refusals.counts),
        answered=int(counts[0]),
        unanswered={text: int(count) for text, count in zip(texts, counts[1:], strict=True) if count},
        annotators=len(gathered.annotators.codes) if agreement else None,
        alpha=_rounded(agreement.alpha) if agreement else None,
        kappa=_rounded(agreement.kappa) if agreement else None,
    )


def summarise(store: Store, name: str, card: AnswersCard, written: Written, reasons: list[str]) -> AnswersSummary:
    """The summary of a run.

    Args:
        store: the store.
        name: of the label set.
        card: of the label set.
        written: the shards that the run wrote.
        reasons: of the first refused rows.
    """
    refused = {reason: rows for reason, rows in card.refused.items() if reason != LEFT_OUT}
    rejected, left_out = sum(refused.values()), card.refused.get(LEFT_OUT, 0)
    return AnswersSummary(
        store=store.location,
        name=name,
        rows=store.layout.rows,
        answered=card.answered,
        unanswered=card.unanswered,
        input_rows=card.used + card.repeated + left_out + rejected,
        used=card.used,
        repeated=card.repeated,
        left_out=left_out,
        rejected=rejected,
        rejected_for=refused,
        reasons=reasons,
        scores=card.scores,
        hard=card.hard,
        annotators=card.annotators,
        alpha=card.alpha,
        kappa=card.kappa,
        shards=store.layout.shards,
        shards_done=written.committed,
        shards_mended=written.mended,
    )


def answered_rows(answers: Answers, rows: int) -> npt.NDArray[np.bool_]:
    """(rows,) which of so many rows of a store have an answer that counts."""
    answered = np.zeros(rows, np.bool_)
    answered[answers.rows] = True
    return answered


def _agreement(store: Store, answers: Answers) -> Agreement:
    """How far annotators agree."""
    classes = len(store.header.classes)
    agreement = Agreement(classes)
    for part in answers.parts(0, store.layout.rows):
        add_units(agreement, answers, part, classes=classes)
    return agreement


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
