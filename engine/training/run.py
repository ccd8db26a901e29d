"""A model, steps and a loss → a trained model in its folder, begun or gone on with. What gold and soft labels share."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.evaluation.evaluate import EvalConfig, evaluate_trained
from engine.inputs.labelled import Gold
from engine.models.classifier import Classifier, load_classifier
from engine.progress import Tick, silent
from engine.training.data.steps import Steps
from engine.training.distributed import LOST_SECONDS, Ranks
from engine.training.loop import LoopConfig, Objective, fit
from engine.training.loss import Loss
from engine.training.output.checkpoint import Checkpoints, model_tensors
from engine.training.output.metrics_log import tensorboard_writer
from engine.training.output.run_folder import CHECKPOINTS, RunFolder
from engine.training.output.saved_model import Trained, read_trained, save_evaluation, save_trained
from engine.training.output.saving import Saving, SavingConfig
from engine.training.state import TrainState
from engine.training.validation import Validating, ValidationConfig, ValidationSet

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every training has.

    Attributes:
        out: folder for the result: new, empty, or that of an earlier run, which then goes on.
        loop: how to train.
        saving: checkpoints and metrics.
        validation: judging on the way.
        evaluation: labelled files to judge the result on.
        lost_seconds: after how long a rank that does not answer is lost.
    """

    out: str
    loop: LoopConfig
    saving: SavingConfig = field(default_factory=SavingConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    evaluation: tuple[str, ...] = ()
    lost_seconds: float = LOST_SECONDS


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be trained.

    Attributes:
        model: its beginning.
        start: hub id or path of that.
        steps: what it learns from.
        loss: of a micro-batch.
        procedure: in words.
        asked: what decides the result, by name, beside what `RunConfig` says.
        sources: where the rows are from.
        gold: for the final evaluation, or None.
        held_out: how to read and judge that.
        validation: rows to validate on, or None.
        rejected: gold rows that were refused.
        reasons: the first of them.
    """

    model: Classifier
    start: str
    steps: Steps
    loss: Loss
    procedure: str
    asked: dict[str, Any]
    sources: list[str]
    gold: Gold | None
    held_out: EvalConfig
    validation: Gold | None
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)


@contextmanager
def held_folder(out: str, ranks: Ranks) -> Iterator[RunFolder]:
    """The folder of a run, which the first rank makes and holds."""
    folder = RunFolder(out)
    if not ranks.is_first:
        yield folder
        return
    with folder.held():
        yield folder


def run_training(task: Task, config: RunConfig, folder: RunFolder, ranks: Ranks, *, tick: Tick) -> Trained:
    """Train, judge and save; what was done before is not done again.

    Raises:
        TrainingError: the folder holds a run with other settings, or the training fails.
    """
    tensorboard_writer(config.saving.report_to)  # before anything is begun, where its package is missing
    asked = flat_names({**task.asked, **_asked(task, config)})
    ranks.agree(json.dumps(asked), what="settings, models or rows")
    folder.check(asked)
    tick = tick if ranks.is_first else silent
    if folder.is_done:
        log.info("%s is done already; nothing was trained", folder.path)
        return _judged_again(task, read_trained(folder.path, rank=ranks.rank), ranks, tick)
    if ranks.is_first:
        folder.begin(asked)
    saving = Saving(folder.path, config.saving, Checkpoints(folder.path / CHECKPOINTS, keep=config.saving.keep))
    try:
        course = fit(
            Objective(model=task.model, steps=task.steps, loss=task.loss, config=config.loop),
            ranks=ranks,
            saving=saving,
            validating=_validating(task, config.validation),
            tick=tick,
        )
    finally:
        saving.end()
    trained = _trained(task, config, course, ranks, tick)
    if ranks.is_first:
        save_trained(task.model, trained, sources=task.sources)
    return trained


def _judged_again(task: Task, trained: Trained, ranks: Ranks, tick: Tick) -> Trained:
    """A model that is done, judged on other rows than it was, where that is asked."""
    if task.gold is None or not ranks.is_first or gold_sha256(task.gold) == trained.evaluated:
        return trained
    evaluation = evaluate_trained(load_classifier(trained.out), task.gold, task.held_out, tick=tick)
    trained = dataclasses.replace(trained, evaluation=evaluation, evaluated=gold_sha256(task.gold))
    save_evaluation(trained)
    return trained


def _validating(task: Task, config: ValidationConfig) -> Validating | None:
    if task.validation is None:
        return None
    judge = ValidationSet(task.validation, task.model.encoding(task.steps.longest))
    return Validating(judge=judge, every=config.every, by=config.by, patience=config.patience)


def _trained(task: Task, config: RunConfig, course: TrainState, ranks: Ranks, tick: Tick) -> Trained:
    judges = ranks.is_first and task.gold is not None
    evaluation = evaluate_trained(task.model, task.gold, task.held_out, tick=tick) if judges and task.gold else None
    return Trained(
        out=config.out,
        start=task.start,
        procedure=task.procedure,
        classes=task.model.classes,
        rows=task.steps.rows,
        rejected=task.rejected + (task.validation.rejected if task.validation is not None else 0),
        reasons=[*task.reasons, *(task.validation.reasons if task.validation is not None else ())],
        max_length=task.steps.longest,
        loop=config.loop,
        epochs=course.reports,
        best=course.best,
        steps=course.done,
        ranks=ranks.count,
        rank=ranks.rank,
        evaluation=evaluation,
        evaluated=gold_sha256(task.gold) if task.gold is not None else None,
    )


def _asked(task: Task, config: RunConfig) -> dict[str, Any]:
    """What decides the result of any training."""
    validation = None
    if task.validation is not None:
        validation = {**asdict(config.validation), "inputs": gold_sha256(task.validation)}
    return {
        "start_sha256": _tensors_sha256(task.model),
        "classes": task.model.classes,
        "rows": task.steps.rows,
        "encoding_sha256": task.model.encoding(task.steps.longest).fingerprint,
        "max_length": task.steps.longest,
        "loop": asdict(config.loop),
        "validation": validation,
    }


def flat_names(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"loop": {"seed": 0}}`` → ``{"loop.seed": 0}``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flat_names(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def gold_sha256(gold: Gold) -> str:
    """Hash of labelled rows."""
    digest = hashlib.sha256(json.dumps([gold.texts, gold.classes]).encode())
    digest.update(gold.labels.astype("<i8").tobytes())
    return digest.hexdigest()


def _tensors_sha256(model: Classifier) -> str:
    """Hash of what training begins with: all parameters and buffers, a new head included."""
    digest = hashlib.sha256()
    for name, tensor in model_tensors(model.module).items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
