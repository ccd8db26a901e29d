"""A store's soft labels, or those in tars that were exported from one → a student."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

from engine.compute.device import best_device
from engine.errors import InputError
from engine.evaluation.evaluate import EvalConfig, read_evaluation_rows
from engine.ingest.columns_before import columns_before
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.labelled import Gold
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.models.classifier import Classifier
from engine.models.gold_texts import read_gold_texts, write_gold_hashes
from engine.models.initialize import load_start
from engine.progress import Tick, silent
from engine.training.data.exported_tars import is_export, store_of_tars
from engine.training.data.soft_gold import learned_hashes
from engine.training.data.store_steps import SoftSteps, complete_label_sets
from engine.training.data.targets import TargetsChoice, resolve_targets, store_as_begun
from engine.training.distributed import joined_ranks
from engine.training.learned import constant_soft_loss, warn_if_nothing_learned
from engine.training.loop import LoopConfig
from engine.training.loss import SoftLoss
from engine.training.output.run_folder import RunFolder
from engine.training.output.saved_model import Trained
from engine.training.run import RunConfig, TrainingTask, locked_folder, run_training
from store import Store
from store.families.label_card import LabelCard, label_card
from store.storage import Storage
from store.store import open_store


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


def train(config: DistillConfig, *, tick: Tick = silent) -> Trained:
    """Distil a student from a store, evaluate it, and save it; an interrupted run of the same training is resumed.

    Raises:
        EngineError: the model, a file or a setting cannot be used, the folder has another run, or the training fails.
        StoreError: the store is damaged, or lacks a label set, a selection or a calibration.
    """
    begun = RunFolder(config.out)
    with joined_ranks(best_device(), lost_seconds=config.lost_seconds) as ranks, _source(config) as source:
        store = store_as_begun(source, begun)
        labels = complete_label_sets(store, (config.labels,) if isinstance(config.labels, str) else config.labels)
        student = _student(store, config, labels)
        max_length = _max_length(store, student, labels, config.max_length)
        evaluation = EvalConfig(model=config.out, inputs=config.evaluation, max_length=max_length)
        evaluation_rows = _labelled_rows(config, config.evaluation, store)
        validation_rows = _labelled_rows(config, config.validation.inputs, store)
        with locked_folder(config.out, ranks) as folder:
            targets = resolve_targets(store, _choice(config, labels), folder, ranks)
            steps = SoftSteps(
                store,
                targets.soft,
                student.encoding(max_length),
                batch_size=config.loop.batch_size,
                seed=config.loop.seed,
                ranks=ranks,
            )
            task = TrainingTask(
                model=student,
                start=config.student,
                steps=steps,
                loss=config.loss,
                procedure=_procedure(config, labels),
                settings={**targets.identity(store), "loss": asdict(config.loss)},
                sources=[store.location],
                evaluation=evaluation,
                evaluation_rows=evaluation_rows,
                validation_rows=validation_rows,
                teachers=[_teacher(store, name) for name in labels],
                truncated=steps.truncated,
            )
            is_new = not folder.is_done
            trained = run_training(task, config, folder, ranks, tick=tick)
            if ranks.is_first and read_gold_texts(folder.path) is None:
                write_gold_hashes(folder.path, learned_hashes(store, targets.soft), start=student.folder)
        if is_new and ranks.is_first:
            warn_if_nothing_learned(trained, constant_soft_loss(store, targets.soft, config.loss))
        return trained


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


def _student(store: Store, config: DistillConfig, labels: tuple[str, ...]) -> Classifier:
    """The student with its initial weights; a plain configuration gets the tokenizer of the first teacher."""
    cards = [label_card(store.label_set(name)) or LabelCard() for name in labels]
    card = next((card for card in cards if card.model is not None), LabelCard())
    return load_start(
        config.student,
        classes=store.header.classes,
        revision=config.revision,
        seed=config.loop.seed,
        tokenizer=(card.model, card.revision),
    )


def _max_length(store: Store, student: Classifier, labels: tuple[str, ...], requested: int | None) -> int:
    """Tokens a row: as requested, or as many as student and teachers all can use."""
    if requested is not None:
        return requested
    cards = [label_card(store.label_set(name)) or LabelCard() for name in labels]
    return min(student.longest, *(card.max_length or student.longest for card in cards))


def _labelled_rows(config: DistillConfig, inputs: tuple[str, ...], store: Store) -> Gold | None:
    if not inputs:
        return None
    columns = replace(config.columns, before=columns_before(store))
    files = EvalConfig(model=config.out, inputs=inputs, columns=columns, options=config.options)
    return read_evaluation_rows(files, store.header.classes)


def _choice(config: DistillConfig, labels: tuple[str, ...]) -> TargetsChoice:
    return TargetsChoice(
        labels=labels,
        select=config.select,
        weight=config.weight,
        gold_weight=config.loss.gold_weight,
        rounds=config.rounds,
        calibrated=config.calibrated,
    )


def _teacher(store: Store, name: str) -> str:
    """What made the label set ``name``, in words, for the model card."""
    card = label_card(store.label_set(name)) or LabelCard()
    if card.answers is not None:
        files = ", ".join(f"`{file['path']}`" for file in card.answers.files)
        return f"answers in {files} (label set {name!r})"
    weights = "" if card.weights_sha256 is None else f", weights {card.weights_sha256}"
    return f"`{card.model}` (label set {name!r}{weights})"


def _procedure(config: DistillConfig, labels: tuple[str, ...]) -> str:
    """The training in words, for the model card."""
    whose = f"the label set {labels[0]!r}" if len(labels) == 1 else f"the mean of the label sets {', '.join(labels)}"
    words = [f"distilled from {whose} ({config.loss.words()})"]
    words += ["calibrated by its temperature" if len(labels) == 1 else "each by its temperature"] * config.calibrated
    words += [f"on the selection {config.select!r}"] if config.select is not None else []
    words += [f"rows weighted by `{config.weight}`"] if config.weight is not None else []
    return ", ".join(words)
