"""A model, steps and a loss → a trained model in its folder, begun or gone on with. What gold and soft labels share."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.evaluation.evaluate import EvalConfig, evaluate_trained
from engine.inputs.gold import Gold
from engine.model import Classifier
from engine.progress import Tick
from engine.training.checkpoint import Checkpoints, model_tensors
from engine.training.course import Course, Saving, SavingConfig, Validating
from engine.training.held_out import HeldOut
from engine.training.loop import Lesson, LoopConfig, fit
from engine.training.loss import Loss
from engine.training.ranks import LOST_SECONDS, Ranks
from engine.training.run_folder import CHECKPOINTS, RunFolder
from engine.training.steps import Steps
from engine.training.trained import Trained, read_trained, save_trained

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How the model is judged while it is trained, to keep the best state of all; not at all without inputs.

    Attributes:
        inputs: labelled files. Not those of the final evaluation: what is chosen on rows looks too good on them.
        every: steps from one time to the next; at the end of each epoch where None.
        by: the figure that decides: ``accuracy``, ``macro_f1`` or ``log_loss``.
        patience: stop when so many in a row are not better; never where None.
    """

    inputs: tuple[str, ...] = ()
    every: int | None = None
    by: str = "accuracy"
    patience: int | None = None


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


def carry_out(task: Task, config: RunConfig, folder: RunFolder, ranks: Ranks, *, tick: Tick) -> Trained:
    """Train, judge and save; what was done before is not done again.

    Raises:
        TrainingError: the folder holds a run with other settings, or the training fails.
    """
    asked = flat_names({**task.asked, **_asked(task, config)})
    folder.check(asked)
    if folder.is_done:
        log.info("%s is done already; nothing was trained", folder.path)
        return read_trained(folder.path, rank=ranks.rank)
    if ranks.is_first:
        folder.begin(asked)
    saving = Saving(folder.path, config.saving, Checkpoints(folder.path / CHECKPOINTS, keep=config.saving.keep))
    try:
        course = fit(
            Lesson(model=task.model, steps=task.steps, loss=task.loss, config=config.loop),
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


def _validating(task: Task, config: ValidationConfig) -> Validating | None:
    if task.validation is None:
        return None
    judge = HeldOut(task.validation, task.model.encoding(task.steps.longest))
    return Validating(judge=judge, every=config.every, by=config.by, patience=config.patience)


def _trained(task: Task, config: RunConfig, course: Course, ranks: Ranks, tick: Tick) -> Trained:
    judges = ranks.is_first and task.gold is not None
    evaluation = evaluate_trained(task.model, task.gold, task.held_out, tick=tick) if judges and task.gold else None
    return Trained(
        out=config.out,
        start=task.start,
        procedure=task.procedure,
        classes=task.model.classes,
        rows=task.steps.rows,
        rejected=task.rejected,
        reasons=task.reasons,
        max_length=task.steps.longest,
        loop=config.loop,
        epochs=course.reports,
        best=course.best,
        steps=course.done,
        ranks=ranks.count,
        rank=ranks.rank,
        evaluation=evaluation,
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
