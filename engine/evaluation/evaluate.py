"""A classifier and labelled files → its quality, speed and size."""

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError, ModelError
from engine.evaluation.answers import ModelAnswers, answers_of
from engine.evaluation.calibrate_model import calibrate_model
from engine.evaluation.cascade import Judged
from engine.evaluation.deferring import judge_cascade
from engine.evaluation.learned_gold import learned_rows_note
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.evaluation.paired import compare_pairs
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.models.classifier import Classifier, load_classifier, parameters
from engine.models.heads import same_but_for_case
from engine.notebook import html_pairs, html_table
from engine.progress import Tick, silent
from store.families.labels import softmax

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """The model and the rows of an evaluation.

    Attributes:
        model: hub id or path.
        inputs: labelled files.
        revision: of the hub id.
        columns: names of their columns, as far as the user gave them.
        options: how the files are read.
        max_length: tokens a row; those of the model's own training, or 512, or as many as it takes, if None.
        tokens_per_batch: the token budget; by device if None.
        against: other models to compare with, on the same rows.
        on_bad_row: ``reject`` or ``fail``.
        calibrate: whether a temperature is fitted on these rows and kept in the model's folder.
        defer_to: a second model, for the rows of which this one is not sure.
        target: accuracy of both together; a threshold for it is chosen, and kept in this one's folder.
    """

    model: str
    inputs: tuple[str, ...]
    revision: str | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    max_length: int | None = None
    tokens_per_batch: int | None = None
    against: tuple[str, ...] = ()
    on_bad_row: str = "reject"
    calibrate: bool = False
    defer_to: str | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if self.target is not None and self.defer_to is None:
            raise InputError("--target is the accuracy of two models; name the second with --defer-to")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a classifier is on labelled rows.

    Attributes:
        model: hub id or path.
        rows: number of rows.
        accuracy: share of right predictions.
        macro_f1: mean F1 over classes.
        log_loss: mean, in nats.
        ece: expected calibration error, 15 bins.
        f1: by class name.
        confusion: gold class → predicted class → rows.
        rows_per_second: tokenising and computing, on this machine.
        parameters: number of parameters.
        megabytes: size of the weights, in 10⁶ bytes.
        rejected: number of labelled rows that were refused.
        reasons: of the first of these.
        against: by model name: the paired comparison, and that model's accuracy.
        temperature: that was fitted on these rows; None if none was.
        calibrated_ece: the calibration error with temperatures that were fitted on other rows than those they judge.
        cascade: what both models give together, as `engine.evaluation.deferring.judge_cascade`; empty without a second.
    """

    model: str
    rows: int
    accuracy: float
    macro_f1: float
    log_loss: float
    ece: float
    f1: dict[str, float]
    confusion: dict[str, dict[str, int]]
    rows_per_second: float
    parameters: int
    megabytes: float
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    against: dict[str, Any] = field(default_factory=dict)
    temperature: float | None = None
    calibrated_ece: float | None = None
    cascade: dict[str, Any] = field(default_factory=dict)

    def headline(self) -> dict[str, Any]:
        """The figures that fit in one row of a table."""
        names = ("rows", "accuracy", "macro_f1", "log_loss", "ece", "rows_per_second", "parameters", "megabytes")
        return {name: getattr(self, name) for name in names}

    def _repr_html_(self) -> str:
        head = ["gold ↓ predicted →", *self.f1, "F1"]
        cells = [[name, *self.confusion[name].values(), score] for name, score in self.f1.items()]
        return html_pairs(self.model, self.headline()) + html_table("Confusion", head, cells)


def evaluate(config: EvalConfig, *, tick: Tick = silent) -> Evaluation:
    """Evaluate ``config.model``, and compare it with ``config.against`` on the same rows.

    Raises:
        EngineError: a model or a file cannot be used, models have different classes, or no temperature fits.
    """
    model = load_classifier(config.model, revision=config.revision)
    gold = read_evaluation_rows(config, model.classes)
    _say_learned(config.model, model, gold)
    predictions = answers_of(model, gold.texts, config, tick)
    against = {name: _compare(name, model, predictions, gold, config, tick) for name in config.against}
    evaluation, at = _evaluation(config.model, model, gold, predictions), 1.0
    if config.calibrate:
        fitted, error = calibrate_model(model, predictions.logits.astype(np.float64), gold.labels)
        at, calibrated_ece = fitted.temperature, round(error, 5)
        evaluation = dataclasses.replace(evaluation, temperature=round(at, 5), calibrated_ece=calibrated_ece)
    if config.defer_to is not None:
        cascade = _cascade(config.defer_to, model, predictions, gold, config, tick, at=at)
        evaluation = dataclasses.replace(evaluation, cascade=cascade)
    return dataclasses.replace(evaluation, megabytes=_megabytes(model.folder), against=against)


def _say_learned(name: str, model: Classifier, gold: Gold) -> None:
    """Say so if ``model`` was trained on some of the rows that it is judged on."""
    if said := learned_rows_note(name, model.folder, gold.texts):
        _log.warning("%s", said)


def evaluate_trained(model: Classifier, gold: Gold, config: EvalConfig, *, tick: Tick = silent) -> Evaluation:
    """Evaluate a model in memory, which will be saved as ``config.model``."""
    return _evaluation(config.model, model, gold, answers_of(model, gold.texts, config, tick))


def read_evaluation_rows(config: EvalConfig, classes: list[str]) -> Gold:
    """The rows of ``config.inputs``; labels are names of ``classes`` or indices into them.

    Raises:
        InputError: a file cannot be read, or has a bad row and ``config.on_bad_row`` is ``fail``.
    """
    return read_gold(
        GoldConfig(
            files=config.inputs,
            columns=config.columns,
            options=config.options,
            classes=tuple(classes),
            on_bad_row=config.on_bad_row,
        )
    )


def _compare(
    name: str, model: Classifier, predictions: ModelAnswers, gold: Gold, config: EvalConfig, tick: Tick
) -> dict[str, float]:
    """Accuracy and speed of the model ``name``, and its paired comparison with ``predictions`` of ``model``."""
    _, theirs = _others(name, model, gold, config, tick)
    pair = compare_pairs(gold.labels, predictions.classes, theirs.classes)
    share = accuracy(confusion(gold.labels, theirs.classes, classes=len(model.classes)))
    rounded = {key: float(f"{value:.6g}") for key, value in dataclasses.asdict(pair).items()}
    return {"accuracy": round(share, 5), **rounded, "rows_per_second": round(len(gold.texts) / theirs.seconds, 1)}


def _others(
    name: str, model: Classifier, gold: Gold, config: EvalConfig, tick: Tick
) -> tuple[Classifier, ModelAnswers]:
    """The model ``name`` and its answers, in the class order of ``model``.

    Raises:
        ModelError: the models have different classes.
    """
    other = load_classifier(name)
    order = same_but_for_case(model.classes, other.classes)
    if order is None:
        raise ModelError(
            f"{name} has the classes {', '.join(other.classes)}, and {config.model} has {', '.join(model.classes)}"
        )
    _say_learned(name, other, gold)
    return other, answers_of(other, gold.texts, config, tick, order=order)


def _cascade(
    name: str, model: Classifier, predictions: ModelAnswers, gold: Gold, config: EvalConfig, tick: Tick, *, at: float
) -> dict[str, Any]:
    """What ``model`` gives together with the model ``name``; ``at`` is the temperature."""
    second, theirs = _others(name, model, gold, config, tick)
    judged = Judged(
        confidence=softmax(predictions.logits.astype(np.float64) / at).max(axis=1),
        first=predictions.classes == gold.labels,
        second=theirs.classes == gold.labels,
    )
    return judge_cascade(model, second, judged, target=config.target, temperature=at)


def _evaluation(name: str, model: Classifier, gold: Gold, predictions: ModelAnswers) -> Evaluation:
    predicted, probabilities = predictions.classes, predictions.probabilities
    names = model.classes
    counts = confusion(gold.labels, predicted, classes=len(names))
    scores = f1_scores(counts)
    return Evaluation(
        model=name,
        rows=len(gold.texts),
        accuracy=round(accuracy(counts), 5),
        macro_f1=round(float(scores.mean()), 5),
        log_loss=round(log_loss(gold.labels, probabilities), 5),
        ece=round(expected_calibration_error(gold.labels, probabilities), 5),
        f1={label: round(float(score), 5) for label, score in zip(names, scores, strict=True)},
        confusion={name: dict(zip(names, map(int, row), strict=True)) for name, row in zip(names, counts, strict=True)},
        rows_per_second=round(len(gold.texts) / predictions.seconds, 1),
        parameters=parameters(model.module),
        megabytes=round(_tensor_bytes(model.module) / 1e6, 1),
        rejected=gold.rejected,
        reasons=gold.reasons,
    )


def _megabytes(folder: Path) -> float:
    """Size of the weights on disk."""
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
    return round(sum(sizes) / 1e6, 1)


def _tensor_bytes(module: Any) -> int:
    """Size of the weights in memory."""
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
