"""The card of a label set: what decides the bytes of its shards, frozen by the run that begins it."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from store.format.decode import decode
from store.format.family import Family
from store.format.names import CARD


class AnswersFile(TypedDict):
    """A file of answers: its path as given, size in bytes and sha256, its rows, its columns, and how it was read."""

    path: str
    size: int
    sha256: str
    rows: int
    columns: dict[str, Any]
    options: NotRequired[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class AnswersCard:
    """Which answers a label set was made from: those of a language model, of annotators, of anybody.

    Attributes:
        files: in the order in which they were read.
        scores: what they hold: ``labels``, ``probabilities`` or ``logits``.
        hard: the probability of a label without a confidence; None if there are scores.
        smallest: the probability that stands for smaller ones; None for logits, which have none.
        used: rows of the files that count.
        repeated: those that say the same as an earlier one, of the same annotator.
        refused: the others, by the reason.
        answered: rows of the store that have logits.
        unanswered: those that have none, by the reason.
        annotators: how many there are; None if the files do not say who answered.
        alpha: Krippendorff's nominal α of their answers; None where it is undefined.
        kappa: Fleiss' κ of them; None where rows have different numbers of answers, or it is undefined.
        others: fields of a later version, by name; kept as they are.
    """

    files: list[AnswersFile]
    scores: str
    hard: float | None
    smallest: float | None
    used: int
    repeated: int
    refused: dict[str, int]
    answered: int
    unanswered: dict[str, int]
    annotators: int | None = None
    alpha: float | None = None
    kappa: float | None = None
    others: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        own = {name: getattr(self, name) for name in _ANSWERS_NAMES}
        return own | self.others


@dataclass(frozen=True, kw_only=True)
class LabelCard:
    """The card of a label set. A field is None if the version that wrote the card did not have it.

    Attributes:
        model: hub id or path of the model.
        revision: of the hub id.
        weights_sha256: hash of the model's weights.
        config_sha256: hash of its configuration.
        classes: names in the order of its outputs.
        encoding: name of the token family that its tokens belong to.
        encoding_sha256: fingerprint of that encoding.
        max_length: tokens a row.
        dtype: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        tokens_per_batch: the token budget.
        path: name of the backend that computes the logits.
        check_rows: rows of each shard that are computed again in fp32; 0 for none.
        centred_from: rows whose largest logit is so far from 0 are stored less that logit; None if no row is.
        device: ``cpu``, or the name of the GPU.
        threads: on a CPU, those of each worker.
        processor: the CPU of the run that began the label set; another one may continue it.
        versions: of the libraries, by name.
        answers: what the label set was made from, if not from the outputs of a model; then it has no other field.
        others: fields of a backend or of a later version, by name; kept as they are.
    """

    model: str | None = None
    revision: str | None = None
    weights_sha256: str | None = None
    config_sha256: str | None = None
    classes: list[str] | None = None
    encoding: str | None = None
    encoding_sha256: str | None = None
    max_length: int | None = None
    dtype: str | None = None
    tokens_per_batch: int | None = None
    path: str | None = None
    check_rows: int | None = None
    centred_from: float | None = None
    device: str | None = None
    threads: int | None = None
    processor: str | None = None
    versions: dict[str, str] | None = None
    answers: AnswersCard | None = None
    others: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; the inverse of `parse_label_card`. Fields that are None are left out, but for the revision."""
        own = {name: getattr(self, name) for name in _NAMES}
        own["answers"] = None if self.answers is None else self.answers.to_dict()
        return {name: value for name, value in own.items() if value is not None or name == "revision"} | self.others


_OTHERS = "others"
_NAMES = [one.name for one in dataclasses.fields(LabelCard) if one.name != _OTHERS]
_ANSWERS_NAMES = [one.name for one in dataclasses.fields(AnswersCard) if one.name != _OTHERS]


def parse_label_card(value: dict[str, Any], *, place: str) -> LabelCard:
    """The card that the JSON object ``value`` holds.

    Args:
        value: parsed JSON.
        place: the file, for the message.

    Raises:
        DamageError: a field has another type; names the file and the field.
    """
    fields = _with_others(value, _NAMES)
    if isinstance(answers := fields.get("answers"), dict):
        fields["answers"] = _with_others(answers, _ANSWERS_NAMES)
    return decode(LabelCard, fields, place=place)


def _with_others(value: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """``value`` with the fields that are none of ``names`` under one."""
    known = {name: one for name, one in value.items() if name in names}
    return {**known, _OTHERS: {name: one for name, one in value.items() if name not in names}}


def label_card(labels: Family) -> LabelCard | None:
    """The card of a label set; None if no run has begun it.

    Raises:
        DamageError: as `parse_label_card`.
    """
    value = labels.card()
    return None if value is None else parse_label_card(value, place=f"{labels.location}/{CARD}")
