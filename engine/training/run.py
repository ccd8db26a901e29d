"""A model, its data and its loss → a trained model in its folder. Shared by fine-tuning and distillation.

A run is new, resumed, or finished: `run_training` checks that its settings are those with which its folder was begun,
trains from the latest checkpoint on, evaluates, and saves.
"""

import dataclasses
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.evaluation.evaluate import EvalConfig
from engine.evaluation.judge import evaluate_trained
from engine.inputs.labels.labelled import Gold
from engine.models.classifier import Classifier, load_classifier
from engine.progress import Tick, silent
from engine.tokens.cut_texts import cut_note
from engine.training.data.steps import Steps
from engine.training.distributed import Ranks
from engine.training.loop import Objective, fit
from engine.training.loss import Loss
from engine.training.output.checkpoint import Checkpoints, tensors_sha256
from engine.training.output.metrics_log import tensorboard_writer
from engine.training.output.mlm_report import MlmReport
from engine.training.output.run_folder import CHECKPOINTS, RunFolder, flat_names
from engine.training.output.saved_model import save_evaluation, save_trained
from engine.training.output.saving import Saving
from engine.training.output.trained import Trained, read_trained
from engine.training.state import TrainState
from engine.training.tasks.config import RunConfig
from engine.training.tasks.known_settings import gold_sha256, known_settings
from engine.training.validation import Validation, ValidationSet

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """A model, its data and its loss, loaded and checked.

    Attributes:
        model: with its initial weights.
        start: hub id or path of these.
        steps: the data.
        loss: of a micro-batch.
        procedure: in words, for the model card.
        settings: by name, those that decide the result, beside the ones of `RunConfig`.
        sources: of the rows, for the model card.
        evaluation: how to read and judge the evaluation rows.
        evaluation_rows: for the final evaluation, or None.
        validation_rows: or None.
        teachers: for each label set that is learned from, what made it, in words.
        rejected: number of input rows that were refused.
        reasons: of the first of these.
        truncated: rows of whose texts the model sees a part; None if that is not known.
        mlm: of the masked language modelling before it, or None.
    """

    model: Classifier
    start: str
    steps: Steps
    loss: Loss
    procedure: str
    settings: dict[str, Any]
    sources: list[str]
    evaluation: EvalConfig
    evaluation_rows: Gold | None
    validation_rows: Gold | None
    teachers: list[str] = field(default_factory=list)
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    truncated: int | None = None
    mlm: MlmReport | None = None


@contextmanager
def locked_folder(out: str, ranks: Ranks) -> Iterator[RunFolder]:
    """The folder of a run, which the first rank makes and locks."""
    folder = RunFolder(out)
    if not ranks.is_first:
        yield folder
        return
    with folder.locked():
        yield folder


def run_training(task: TrainingTask, config: RunConfig, folder: RunFolder, ranks: Ranks, *, tick: Tick) -> Trained:
    """Train, evaluate and save; steps that an earlier run took are not repeated.

    Raises:
        TrainingError: the folder has a run with other settings, or the training fails.
    """
    tensorboard_writer(config.saving.report_to)  # fails before the folder is begun, if its package is missing
    settings = flat_names({**task.settings, **_settings(task, config)})
    ranks.agree(json.dumps(settings), name="settings, models or rows")
    folder.check(settings)
    tick = tick if ranks.is_first else silent
    if folder.is_done:
        log.info("%s is done already; nothing was trained", folder.path)
        return _evaluated_again(task, read_trained(folder.path, rank=ranks.rank), ranks, tick)
    if ranks.is_first:
        folder.begin(settings)
        _say_cut(task)
    trained = _trained(task, config, _fit(task, config, folder, ranks, tick), ranks, tick)
    if ranks.is_first:
        save_trained(task.model, trained, sources=task.sources)
    return trained


def _settings(task: TrainingTask, config: RunConfig) -> dict[str, Any]:
    """The settings that decide the result of any training, with hashes of its model and rows."""
    return {
        "start_sha256": tensors_sha256(task.model.module),
        "rows": task.steps.rows,
        "encoding_sha256": task.model.encoding(task.steps.longest).fingerprint,
        "max_length": task.steps.longest,
        **known_settings(config, task.model.classes, task.validation_rows),
    }


def _evaluated_again(task: TrainingTask, trained: Trained, ranks: Ranks, tick: Tick) -> Trained:
    """A finished model, evaluated again if other evaluation rows are given than before."""
    gold = task.evaluation_rows
    if gold is None or not ranks.is_first or gold_sha256(gold) == trained.evaluated:
        return trained
    evaluation = evaluate_trained(load_classifier(trained.out), gold, task.evaluation, tick=tick)
    files = [*task.evaluation.inputs]
    trained = dataclasses.replace(trained, evaluation=evaluation, evaluated=gold_sha256(gold), evaluation_files=files)
    save_evaluation(trained)
    return trained


def _fit(task: TrainingTask, config: RunConfig, folder: RunFolder, ranks: Ranks, tick: Tick) -> TrainState:
    """Train the model of ``task`` in place."""
    validation = None
    if task.validation_rows is not None:
        rows = ValidationSet(task.validation_rows, task.model.encoding(task.steps.longest))
        validation = Validation(measure=rows, config=config.validation)
    saving = Saving(folder.path, config.saving, Checkpoints(folder.path / CHECKPOINTS, keep=config.saving.keep))
    try:
        return fit(
            Objective(model=task.model, steps=task.steps, loss=task.loss, config=config.loop),
            ranks=ranks,
            saving=saving,
            validation=validation,
            tick=tick,
        )
    finally:
        saving.end()


def _trained(task: TrainingTask, config: RunConfig, state: TrainState, ranks: Ranks, tick: Tick) -> Trained:
    """The report of a training, with the final evaluation, which the first rank computes."""
    gold, validation = task.evaluation_rows, task.validation_rows
    evaluation = None
    if gold is not None and ranks.is_first:
        evaluation = evaluate_trained(task.model, gold, task.evaluation, tick=tick)
    return Trained(
        out=config.out,
        start=task.start,
        procedure=task.procedure,
        classes=task.model.classes,
        rows=task.steps.rows,
        rejected=task.rejected + (validation.rejected if validation is not None else 0),
        reasons=[*task.reasons, *(validation.reasons if validation is not None else ())],
        max_length=task.steps.longest,
        loop=config.loop,
        dtype=state.dtype,
        epochs=state.reports,
        best=state.best,
        steps=state.done,
        ranks=ranks.count,
        rank=ranks.rank,
        evaluation=evaluation,
        evaluated=gold_sha256(gold) if gold is not None else None,
        evaluation_files=[] if gold is None else [*task.evaluation.inputs],
        teachers=task.teachers,
        truncated=task.truncated,
        mlm=task.mlm,
    )


def _say_cut(task: TrainingTask) -> None:
    """Say so if the model sees only a part of many texts."""
    cut, rows, length = task.truncated or 0, task.steps.rows, task.steps.longest
    if said := cut_note(cut, rows, length=length, longest=task.model.longest):
        log.info("%s", said)
