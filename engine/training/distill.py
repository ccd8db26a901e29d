"""A store's soft labels → a student."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from engine.compute.device import best_device
from engine.errors import TrainingError
from engine.evaluation.evaluate import EvalConfig, read_held_out
from engine.models.classifier import Classifier
from engine.models.initialize import load_start
from engine.progress import Tick, silent
from engine.training.data.row_weights import frozen_weights, weights_sha256
from engine.training.data.store_steps import SoftLabels, SoftSteps, complete_label_sets
from engine.training.distributed import Ranks, joined_ranks
from engine.training.loop import LoopConfig
from engine.training.loss import SoftLoss
from engine.training.output.run_folder import RunFolder
from engine.training.output.saved_model import Trained
from engine.training.run import RunConfig, Task, held_folder, run_training
from store import Store
from store.families.label_card import LabelCard, label_card
from store.format.names import LABELS
from store.gold.calibration import Calibration, usable_calibration
from store.gold.fingerprint import fingerprint
from store.gold.held import OWN, chosen_rounds, has_gold, rounds_sha256
from store.selections.selection import read_selection
from store.storage import Storage
from store.store import open_store


@dataclass(frozen=True, kw_only=True)
class DistillConfig(RunConfig):
    """A training on soft labels.

    Attributes:
        store: its location, or a `Storage`.
        student: hub id or path to begin with; ``MODEL#layers=1,3,5`` keeps some layers, and a ``config.json`` begins
            with random weights, and with the teacher's tokenizer where none is beside it.
        revision: of the hub id.
        labels: the label sets, whose teachers are averaged; the only one where empty.
        select: a selection, whose rows alone are learnt from; all rows where None.
        weight: SQL expression over ``reviews``: how much each row counts; equally where None.
        loss: how the student is compared with its teachers.
        rounds: the rounds of gold that the gold weight counts, 0 being the corpus's own; where None, all that there are
            when the run begins. The latest of them holds.
        calibrated: whether the logits of each label set are divided by its temperature, that of its latest calibration
            when the run begins.
        max_length: tokens a row; the label set's where None.
        loop: how to train.
    """

    store: str | Storage
    student: str
    revision: str | None = None
    labels: str | tuple[str, ...] = ()
    select: str | None = None
    weight: str | None = None
    loss: SoftLoss = field(default_factory=SoftLoss)
    rounds: tuple[int, ...] | None = None
    calibrated: bool = False
    max_length: int | None = None
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(epochs=2, batch_size=64, learning_rate=2e-4))


def train(config: DistillConfig, *, tick: Tick = silent) -> Trained:
    """Distil a student from a store, judge it, and save it; go on where an earlier run of the same was stopped.

    Raises:
        EngineError, StoreError: the store, the model or the folder do not fit.
    """
    RunFolder(config.out)
    with joined_ranks(best_device(), lost_seconds=config.lost_seconds) as ranks:
        store = open_store(config.store)
        labels = complete_label_sets(store, (config.labels,) if isinstance(config.labels, str) else config.labels)
        student = _student(store, config, labels)
        max_length = _max_length(store, student, labels, config.max_length)
        gold, validation = (
            read_held_out(_held_out(config, inputs, max_length), store.header.classes) if inputs else None
            for inputs in (config.evaluation, config.validation.inputs)
        )
        with held_folder(config.out, ranks) as folder:
            steps, asked = _steps(store, config, student, folder, labels=labels, max_length=max_length, ranks=ranks)
            task = Task(
                model=student,
                start=config.student,
                steps=steps,
                loss=config.loss,
                procedure=_procedure(config, labels),
                asked=asked,
                sources=[store.location],
                gold=gold,
                held_out=_held_out(config, config.evaluation, max_length),
                validation=validation,
            )
            return run_training(task, config, folder, ranks, tick=tick)


def _student(store: Store, config: DistillConfig, labels: tuple[str, ...]) -> Classifier:
    """What the student begins with; a plain configuration is given the tokenizer of the first teacher."""
    card = label_card(store.label_set(labels[0])) or LabelCard()
    return load_start(
        config.student,
        classes=store.header.classes,
        revision=config.revision,
        seed=config.loop.seed,
        tokenizer=(card.model, card.revision),
    )


def _held_out(config: DistillConfig, inputs: tuple[str, ...], max_length: int) -> EvalConfig:
    return EvalConfig(model=config.out, inputs=inputs, max_length=max_length)


def _max_length(store: Store, student: Classifier, labels: tuple[str, ...], asked: int | None) -> int:
    if asked is not None:
        return asked
    cards = [label_card(store.label_set(name)) or LabelCard() for name in labels]
    return min(student.longest, *(card.max_length or student.longest for card in cards))


def _steps(
    store: Store,
    config: DistillConfig,
    student: Classifier,
    folder: RunFolder,
    *,
    labels: tuple[str, ...],
    max_length: int,
    ranks: Ranks,
) -> tuple[SoftSteps, dict[str, Any]]:
    """What the student learns from, and what of it decides the result."""
    weights = None
    if config.weight is not None:
        weights = frozen_weights(folder, store, config.weight, labels=labels, select=config.select, ranks=ranks)
    rounds = _rounds(store, config, folder)
    held = _calibrations(store, labels, folder) if config.calibrated else None
    what = SoftLabels(
        labels=labels,
        select=config.select,
        weights=weights,
        rounds=rounds,
        temperatures=None if held is None else tuple(one.temperature for one in held.values()),
    )
    steps = SoftSteps(
        store,
        what,
        student.encoding(max_length),
        batch_size=config.loop.batch_size,
        seed=config.loop.seed,
        ranks=ranks,
    )
    asked = {
        "labels": {name: fingerprint(store, f"{LABELS}/{name}") for name in labels},
        "select": None if config.select is None else read_selection(store, config.select).card.sha256,
        "weight": config.weight,
        "weight_sha256": None if weights is None else weights_sha256(weights),
        "loss": dataclasses.asdict(config.loss),
        "gold": _gold(store, rounds),
        "calibrated": None if held is None else {name: _said(one) for name, one in held.items()},
    }
    return steps, asked


def _calibrations(store: Store, labels: tuple[str, ...], folder: RunFolder) -> dict[str, Calibration]:
    """The calibration of each label set: the one with which the run was begun, else the latest."""
    begun = folder.asked
    return {name: usable_calibration(store, name, begun.get(f"calibrated.{name}.number")) for name in labels}


def _said(calibration: Calibration) -> dict[str, Any]:
    return {"number": calibration.number, "temperature": calibration.temperature}


def _gold(store: Store, rounds: tuple[int, ...] | None) -> dict[str, Any] | None:
    """What says that the gold is the same as it was; None for that of the corpus alone, which never changes."""
    if rounds in (None, (OWN,)):
        return None
    return {"rounds": list(rounds or ()), "sha256": rounds_sha256(store, rounds or ())}


def _rounds(store: Store, config: DistillConfig, folder: RunFolder) -> tuple[int, ...] | None:
    """The rounds of gold that the run learns from, which stay the same until its end; None where it uses no gold.

    Of a run that goes on, and names none, they are those with which it was begun.

    Raises:
        TrainingError: there is no gold, or rounds are named for nothing.
    """
    if not config.loss.gold_weight:
        if config.rounds is not None:
            raise TrainingError("--round says which gold counts, and --gold-weight is 0; give it too")
        return None
    begun = folder.asked.get("gold.rounds", [OWN]) if folder.has_begun else None
    rounds = chosen_rounds(store, begun if config.rounds is None else config.rounds)
    if not has_gold(store, rounds):
        raise TrainingError(
            f"--gold-weight is {config.loss.gold_weight:g}, and no row of {store.location} has a gold label; "
            "`engine label … --label COLUMN` takes them from the inputs, and `engine audit … --gold INPUT` adds them"
        )
    return rounds


def _procedure(config: DistillConfig, labels: tuple[str, ...]) -> str:
    """In words, for the model card."""
    whose = f"the label set {labels[0]!r}" if len(labels) == 1 else f"the mean of the label sets {', '.join(labels)}"
    words = [f"distilled from {whose} ({config.loss.words()})"]
    words += ["calibrated by its temperature" if len(labels) == 1 else "each by its temperature"] * config.calibrated
    words += [f"on the selection {config.select!r}"] if config.select is not None else []
    words += [f"rows weighted by `{config.weight}`"] if config.weight is not None else []
    return ", ".join(words)
