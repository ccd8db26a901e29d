"""A store and a distillation that were looked at → the trained student."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.compute.device import best_device
from engine.evaluation.evaluate import EvalConfig
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.by_name.choice import PLAIN_LABEL
from engine.inputs.labels.labelled import Gold
from engine.models.classifier import Classifier
from engine.models.initialize import load_start
from engine.models.notes.columns_read import columns_of_store, write_columns
from engine.models.notes.gold_texts import all_learned, read_gold_texts, write_gold_hashes
from engine.progress import Tick
from engine.training.data.soft_gold import learned_hashes
from engine.training.data.store_steps import SoftSteps
from engine.training.data.targets import resolve_targets
from engine.training.distill import DistillConfig, choice_of
from engine.training.distributed import joined_ranks
from engine.training.learned import constant_soft_loss, warn_if_nothing_learned
from engine.training.output.start_note import start_note, write_start
from engine.training.output.trained import Trained
from engine.training.run import TrainingTask, locked_folder, run_training
from engine.training.tasks.known_rows import say_distilled, say_learned
from store import Store
from store.families.label_card import LabelCard, label_card


@dataclass(frozen=True, kw_only=True)
class SoftRows:
    """What a student learns from, and is judged by.

    Attributes:
        store: as it was when the run was begun.
        labels: names of complete label sets.
        evaluation: rows for the final evaluation, or None.
        validation: or None.
    """

    store: Store
    labels: tuple[str, ...]
    evaluation: Gold | None
    validation: Gold | None


def train_on_soft_labels(config: DistillConfig, rows: SoftRows, *, note: dict[str, Any] | None, tick: Tick) -> Trained:
    """As `engine.training.distill.train`, with the rows that ``config`` names and the note of its start."""
    store, labels = rows.store, rows.labels
    with joined_ranks(best_device(), lost_seconds=config.lost_seconds) as ranks:
        student = _student(store, config, labels)
        is_noted = note == start_note(config.student, student.folder, config.max_length)  # as it was loaded
        max_length = _max_length(store, student, labels, config.max_length)
        with locked_folder(config.out, ranks) as folder:
            targets = resolve_targets(store, choice_of(config, labels), folder, ranks)
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
                evaluation=EvalConfig(model=config.out, inputs=config.evaluation, max_length=max_length),
                evaluation_rows=rows.evaluation,
                validation_rows=rows.validation,
                teachers=[_teacher(store, name) for name in labels],
                truncated=steps.truncated,
            )
            gold = all_learned(learned_hashes(store, targets.soft), start=student.folder)
            if ranks.is_first:
                say_learned(config.out, gold, evaluation=rows.evaluation, validation=rows.validation)
                say_distilled(config.out, store, targets.soft, rows.evaluation)
            is_new = not folder.is_done
            trained = run_training(task, config, folder, ranks, tick=tick)
            if ranks.is_first and read_gold_texts(folder.path) is None:
                write_gold_hashes(folder.path, gold)
            if ranks.is_first:
                write_columns(folder.path, _columns(store, labels))
                write_start(folder.path, note if is_noted else None)
        if is_new and ranks.is_first:
            warn_if_nothing_learned(trained, constant_soft_loss(store, targets.soft, config.loss))
        return trained


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


def _columns(store: Store, labels: tuple[str, ...]) -> ColumnsBefore:
    """Those that the store and its teachers were read with; that of labels only if its name is no plain one."""
    columns = columns_of_store(store, labels)
    return replace(columns, label=tuple(name for name in columns.label if name != PLAIN_LABEL))


def _max_length(store: Store, student: Classifier, labels: tuple[str, ...], requested: int | None) -> int:
    """Tokens a row: as requested, or as many as student and teachers all can use."""
    if requested is not None:
        return requested
    cards = [label_card(store.label_set(name)) or LabelCard() for name in labels]
    return min(student.longest, *(card.max_length or student.longest for card in cards))


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
