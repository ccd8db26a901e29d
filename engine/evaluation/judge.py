"""A classifier in memory and labelled rows → how good it is."""

import dataclasses
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.evaluation.answers import ModelAnswers, answers_of
from engine.evaluation.calibrate_model import calibrate_model
from engine.evaluation.cascade import Judged
from engine.evaluation.deferring import judge_cascade
from engine.evaluation.evaluate import EvalConfig, Evaluation, read_evaluation_rows
from engine.evaluation.learned_gold import learned_rows_note, rows_not_learned
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.evaluation.paired import compare_pairs
from engine.inputs.labels.labelled import Gold
from engine.inputs.messages import counted
from engine.models.classifier import Classifier, load_classifier, parameters
from engine.models.heads import order_of_classes
from engine.models.notes.gold_texts import read_gold_texts
from engine.progress import Tick, silent
from store.families.labels import softmax

_TIMID, _FEW = 0.2, 50
"""How much lower than accuracy mean confidence is to be spoken of, and rows that say something of both."""
_log = logging.getLogger(__name__)


def judge(config: EvalConfig, gold: Gold | None, *, tick: Tick = silent) -> Evaluation:
    """As `engine.evaluation.evaluate.evaluate`; ``gold`` are the rows, if they have been read."""
    model = load_classifier(config.model, revision=config.revision)
    if gold is None:
        gold = read_evaluation_rows(config, model.classes)
    _say_learned(config.model, model, gold)
    predictions = answers_of(model, gold.texts, config, tick)
    against = {name: _compare(name, model, predictions, gold, config, tick) for name in config.against}
    evaluation, at = _evaluation(config.model, model, gold, predictions), 1.0
    if not config.calibrate:
        _say_timid(config.model, evaluation, predictions)
    else:
        rows = _rows_of_none((model,), gold, what="the temperature")
        fitted, error = calibrate_model(model, predictions.logits[rows].astype(np.float64), gold.labels[rows])
        at, calibrated_ece = fitted.temperature, round(error, 5)
        evaluation = dataclasses.replace(evaluation, temperature=round(at, 5), calibrated_ece=calibrated_ece)
    if config.defer_to is not None:
        cascade = _cascade(config.defer_to, model, predictions, gold, config, tick, at=at)
        evaluation = dataclasses.replace(evaluation, cascade=cascade)
    return dataclasses.replace(evaluation, megabytes=_megabytes(model.folder), against=against)


def _say_learned(name: str, model: Classifier, gold: Gold) -> None:
    """Say so if ``model`` was trained on some of the rows that it is judged on."""
    if said := learned_rows_note(name, read_gold_texts(model.folder), gold.texts):
        _log.warning("%s", said)


def _rows_of_none(models: Sequence[Classifier], gold: Gold, *, what: str) -> npt.NDArray[np.int64]:
    """Places of the rows that none of ``models`` was trained on; a note says of how many ``what`` is."""
    rows = rows_not_learned([read_gold_texts(model.folder) for model in models], gold.texts)
    if left := len(gold.texts) - len(rows):
        _log.info("%s: %s, and not of %s that a model was trained on", what, counted(len(rows), "row"), f"{left:,}")
    return rows


def evaluate_trained(model: Classifier, gold: Gold, config: EvalConfig, *, tick: Tick = silent) -> Evaluation:
    """Evaluate a model in memory, which will be saved as ``config.model``."""
    predictions = answers_of(model, gold.texts, config, tick)
    evaluation = _evaluation(config.model, model, gold, predictions)
    _say_timid(config.model, evaluation, predictions)
    return evaluation


def _say_timid(name: str, evaluation: Evaluation, predictions: ModelAnswers) -> None:
    """Say so if the model is right far more often than it thinks: thresholds of confidence mean little then."""
    confidence = float(predictions.probabilities.max(axis=1).mean())
    if evaluation.accuracy - confidence < _TIMID or evaluation.rows < _FEW:
        return
    _log.info(
        "%s is right on %.1f%% of these rows with a confidence of %.2f on average, as after few steps of training. "
        "With `engine eval %s FILE --calibrate` and `engine predict --calibrated`, confidence says how often it is so",
        name,
        100 * evaluation.accuracy,
        confidence,
        shlex.quote(name),
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
    order = order_of_classes(config.model, model.classes, name, other.classes)
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
    if config.target is not None:
        judged = judged.some(_rows_of_none((model, second), gold, what="the threshold"))
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
