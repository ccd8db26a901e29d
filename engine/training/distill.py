"""A store's soft labels, or those in tars that were exported from one → a student.

torch is imported when the request has been looked at: a mistake in it is said before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.evaluation.evaluate import EvalConfig, read_evaluation_rows
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.labelled import Gold
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.models.loading.first_look import look_for_start
from engine.models.notes.columns_read import columns_of_store
from engine.models.notes.gold_texts import read_gold_texts
from engine.progress import Tick, silent
from engine.training.data.exported_tars import is_export, store_of_tars
from engine.training.data.row_weights import held_weights
from engine.training.data.store_steps import SoftLabels, complete_label_sets
from engine.training.data.targets import TargetsChoice, look_at_targets, store_as_begun
from engine.training.output.run_folder import RunFolder, flat_names
from engine.training.output.start_note import start_note
from engine.training.tasks.config import LoopConfig, RunConfig
from engine.training.tasks.done_already import done_already
from engine.training.tasks.known_rows import say_distilled, say_learned
from engine.training.tasks.known_settings import known_settings
from engine.training.tasks.launch import quiet_others
from engine.training.tasks.soft_loss import SoftLoss
from store import Store
from store.selections.selection import read_selection
from store.storage import Storage
from store.store import open_store

if TYPE_CHECKING:
    from engine.training.output.trained import Trained


@dataclass(frozen=True, kw_only=True)
class DistillConfig(RunConfig):
    """A training on soft labels.

    Attributes:
        store: its location, or a `Storage`; or the folder of tars that were exported from one, or some of these tars.
        student: hub id or path of the initial weights; ``MODEL#layers=1,3,5`` keeps some layers, and a ``config.json``
            means random weights, with the teacher's tokenizer if it has none of its own.
        revision: of the hub id.
        labels: the label sets, whose teachers are averaged; the only one if empty.
        select: a selection, to learn from its rows alone; all rows if None.
        weight: SQL expression over ``reviews``, the weight of a row; equal weights if None.
        loss: compares the student with its teachers.
        rounds: of gold, for the gold weight, 0 being the corpus's own; if None, all that exist when the run begins. The
            latest of them holds.
        calibrated: whether the logits of each label set are divided by its temperature, that of its latest calibration
            when the run begins.
        max_length: tokens a row; the label set's if None.
        columns: of the labelled files for evaluation and validation, as far as the user gave them.
        options: how these files are read.
        loop: hyperparameters.
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
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(epochs=2, batch_size=64, learning_rate=2e-4))


def train(config: DistillConfig, *, tick: Tick = silent) -> "Trained":
    """Distil a student from a store, evaluate it, and save it; an interrupted run of the same training is resumed.

    Raises:
        EngineError: the model, a file or a setting cannot be used, the folder has another run, or the training fails.
        StoreError: the store is damaged, or lacks a label set, a selection or a calibration.
    """
    begun = RunFolder(config.out)
    quiet_others()
    with _source(config) as source:
        store = store_as_begun(source, begun)
        labels = complete_label_sets(store, (config.labels,) if isinstance(config.labels, str) else config.labels)
        start = look_for_start(config.student, config.revision)
        if config.select is not None:
            read_selection(store, config.select)
        columns = replace(config.columns, before=columns_of_store(store, labels))
        evaluation = _labelled_rows(config, config.evaluation, store, columns)
        validation = _labelled_rows(config, config.validation.inputs, store, columns)
        known = look_at_targets(store, choice_of(config, labels), begun)
        known |= {"loss": asdict(config.loss), **known_settings(config, store.header.classes, validation)}
        begun.check(flat_names(known), partly=True)
        note = start_note(config.student, start, config.max_length)
        if (trained := done_already(begun, flat_names(known), note, evaluation)) is not None:
            say_learned(config.out, read_gold_texts(begun.path), evaluation=evaluation, validation=validation)
            weights = None if config.weight is None else held_weights(begun)
            soft = SoftLabels(labels=labels, select=config.select, weights=weights)
            say_distilled(config.out, store, soft, evaluation)
            return trained
        from engine.training.tasks.soft import SoftRows, train_on_soft_labels

        rows = SoftRows(store=store, labels=labels, evaluation=evaluation, validation=validation)
        return train_on_soft_labels(config, rows, note=note, tick=tick)


def choice_of(config: DistillConfig, labels: tuple[str, ...]) -> TargetsChoice:
    """The targets that are asked for, of the label sets ``labels``."""
    return TargetsChoice(
        labels=labels,
        select=config.select,
        weight=config.weight,
        gold_weight=config.loss.gold_weight,
        rounds=config.rounds,
        calibrated=config.calibrated,
    )


@contextmanager
def _source(config: DistillConfig) -> Iterator[Store]:
    """The store that is learned from.

    Raises:
        InputError: it is of tars, which lack what the training asks for.
    """
    if not isinstance(config.store, str) or not is_export(config.store):
        yield open_store(config.store)
        return
    lacking = {"--select": config.select, "--calibrated": config.calibrated or None, "--round": config.rounds}
    for flag, value in lacking.items():
        if value is not None:
            raise InputError(
                f"{config.store} has no selections, calibrations and rounds of gold, but rows with the gold that held: "
                f"train without {flag}, export what was selected, or train from the store"
            )
    with store_of_tars(config.store) as store:
        yield store


def _labelled_rows(config: DistillConfig, inputs: tuple[str, ...], store: Store, columns: ColumnNames) -> Gold | None:
    if not inputs:
        return None
    files = EvalConfig(model=config.out, inputs=inputs, columns=columns, options=config.options)
    return read_evaluation_rows(files, store.header.classes)
