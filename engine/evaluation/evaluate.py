"""A classifier and labelled files → how good, how fast and how large it is."""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.compute.device import best_device, default_budget
from engine.compute.encoder import Encoder
from engine.errors import ModelError
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.evaluation.paired import Paired, compare_pairs
from engine.inputs.columns import ColumnNames
from engine.inputs.labelled import Gold, GoldConfig, read_gold
from engine.models.classifier import Classifier, load_classifier, parameters
from engine.progress import Tick, silent
from store.families.labels import softmax


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """What to judge, and on what.

    Attributes:
        model: hub id or path.
        inputs: labelled files.
        revision: of the hub id.
        columns: column names that the user gave.
        max_length: tokens a row.
        tokens_per_batch: the token budget; by device where None.
        against: other models to compare with, on the same rows.
        on_bad_row: ``reject`` or ``fail``.
    """

    model: str
    inputs: tuple[str, ...]
    revision: str | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    max_length: int | None = None
    tokens_per_batch: int | None = None
    against: tuple[str, ...] = ()
    on_bad_row: str = "reject"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a classifier is on labelled rows.

    Attributes:
        model: hub id or path.
        rows: judged.
        accuracy: share that is right.
        macro_f1: mean over classes.
        log_loss: nats.
        ece: expected calibration error, 15 bins.
        f1: by class name.
        confusion: gold class → predicted class → rows.
        rows_per_second: tokenising and computing, on this machine.
        parameters: how many.
        megabytes: of the weights.
        rejected: labelled rows that were refused.
        reasons: the first of them.
        against: by model name: the paired comparison and the other's accuracy.
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

    def headline(self) -> dict[str, Any]:
        """The figures that fit in one row of a table."""
        names = ("rows", "accuracy", "macro_f1", "log_loss", "ece", "rows_per_second", "parameters", "megabytes")
        return {name: getattr(self, name) for name in names}


def evaluate(config: EvalConfig, *, tick: Tick = silent) -> Evaluation:
    """Judge ``config.model``, and compare it with ``config.against`` on the same rows.

    Raises:
        EngineError: a model or a file does not fit.
    """
    model = load_classifier(config.model, revision=config.revision)
    gold = read_held_out(config, model.classes)
    judged = _judge(model, gold, config, tick)
    against = {}
    for other in config.against:
        rival = load_classifier(other)
        if sorted(rival.classes) != sorted(model.classes):
            raise ModelError(
                f"{other} has the classes {', '.join(rival.classes)}, and {config.model} has {', '.join(model.classes)}"
            )
        order = [rival.classes.index(name) for name in model.classes]
        theirs = _judge(rival, gold, config, tick, order=order)
        pair = compare_pairs(gold.labels, judged.predicted, theirs.predicted)
        share = accuracy(confusion(gold.labels, theirs.predicted, classes=len(order)))
        against[other] = {"accuracy": round(share, 5), **_rounded(pair)}
    evaluation = _evaluation(config.model, model, gold, judged)
    return dataclasses.replace(evaluation, megabytes=_megabytes(model.folder), against=against)


def read_held_out(config: EvalConfig, classes: list[str]) -> Gold:
    """The labelled rows that ``config`` names; labels are names of ``classes`` or indices into them."""
    wanted = GoldConfig(
        files=config.inputs, columns=config.columns, classes=tuple(classes), on_bad_row=config.on_bad_row
    )
    return read_gold(wanted)


def evaluate_trained(model: Classifier, gold: Gold, config: EvalConfig, *, tick: Tick = silent) -> Evaluation:
    """Judge a model that was just trained and is not on disk yet; ``config.model`` is what it will be called."""
    return _evaluation(config.model, model, gold, _judge(model, gold, config, tick))


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """Probabilities, (rows, classes), predictions, (rows,), and the seconds that they took."""

    probabilities: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.int64]
    seconds: float


def _judge(model: Classifier, gold: Gold, config: EvalConfig, tick: Tick, *, order: list[int] | None = None) -> _Judged:
    """Run ``model`` over ``gold``; ``order`` permutes its outputs."""
    logits, seconds = _predict(model, gold.texts, config, tick)
    probabilities = softmax(logits if order is None else logits[:, order])
    return _Judged(probabilities=probabilities, predicted=probabilities.argmax(axis=1), seconds=seconds)


def _predict(
    model: Classifier, texts: list[str], config: EvalConfig, tick: Tick
) -> tuple[npt.NDArray[np.float32], float]:
    """(rows, classes) float32 logits of ``texts``, in fp32 on the best device; seconds to tokenise and compute."""
    device, encoding = best_device(), model.encoding(config.max_length)
    budget = config.tokens_per_batch or default_budget(device)
    encoder = Encoder(model, device=device, budget=budget, longest=encoding.max_length)
    started = time.perf_counter()
    tokens = encoding.encode(texts)
    logits = encoder.logits(tokens, encoder.plan(tokens), tick=tick)
    return logits, time.perf_counter() - started


def _evaluation(name: str, model: Classifier, gold: Gold, judged: _Judged) -> Evaluation:
    predicted, probabilities = judged.predicted, judged.probabilities
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
        rows_per_second=round(len(gold.texts) / judged.seconds, 1),
        parameters=parameters(model.module),
        megabytes=round(_tensor_bytes(model.module) / 1e6, 1),
        rejected=gold.rejected,
        reasons=gold.reasons,
    )


def _megabytes(folder: Path) -> float:
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
    return round(sum(sizes) / 1e6, 1)


def _tensor_bytes(module: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())


def _rounded(pair: Paired) -> dict[str, Any]:
    return {name: float(f"{value:.6g}") for name, value in dataclasses.asdict(pair).items()}
