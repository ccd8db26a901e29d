"""A fine-tuning whose rows are read → the trained model."""

from dataclasses import replace
from typing import Any

import pyarrow as pa

from engine.compute.device import best_device
from engine.inputs.labels.labelled import Gold
from engine.models.initialize import load_start
from engine.models.notes.columns_read import write_columns
from engine.models.notes.gold_texts import all_learned, read_gold_texts, write_gold_hashes
from engine.progress import Tick
from engine.training.data.gold_steps import GoldSteps
from engine.training.distributed import Ranks, joined_ranks
from engine.training.finetune import FinetuneConfig, gold_settings, judged_by
from engine.training.learned import constant_gold_loss, warn_if_nothing_learned
from engine.training.loss import cross_entropy
from engine.training.mlm.pretrain import pretrain
from engine.training.mlm.texts import MlmRequest
from engine.training.output.start_note import start_note, write_start
from engine.training.output.trained import Trained
from engine.training.run import TrainingTask, locked_folder, run_training
from engine.training.tasks.known_rows import say_learned
from store.families.text_hash import text_hashes
from store.store import open_store


def train_on_gold(
    config: FinetuneConfig,
    gold: Gold,
    evaluation: Gold | None,
    validation: Gold | None,
    *,
    asked: MlmRequest | None,
    note: dict[str, Any] | None,
    tick: Tick,
) -> Trained:
    """As `engine.training.finetune.finetune`, with rows and texts that were looked at, and a note of its start."""
    with joined_ranks(best_device(), lost_seconds=config.lost_seconds) as ranks:
        task = _task(config, gold, evaluation, validation, asked=asked, ranks=ranks, tick=tick)
        is_noted = note == start_note(config.model, task.model.folder, config.max_length)  # as it was loaded
        hashes = text_hashes(pa.array(gold.texts, pa.string()))
        if ranks.is_first:
            learned = all_learned(hashes, start=task.model.folder)
            say_learned(config.out, learned, evaluation=evaluation, validation=validation)
        with locked_folder(config.out, ranks) as folder:
            is_new = not folder.is_done
            trained = run_training(task, config, folder, ranks, tick=tick)
            if ranks.is_first and read_gold_texts(folder.path) is None:
                write_gold_hashes(folder.path, hashes, start=task.model.folder)
            if ranks.is_first:
                write_columns(folder.path, gold.read_from)
                write_start(folder.path, note if is_noted else None)
        if is_new:
            warn_if_nothing_learned(trained, constant_gold_loss(gold))
        return trained


def _task(
    config: FinetuneConfig,
    gold: Gold,
    evaluation: Gold | None,
    validation: Gold | None,
    *,
    asked: MlmRequest | None,
    ranks: Ranks,
    tick: Tick,
) -> TrainingTask:
    """Read the model; if texts come before the labels, learn them."""
    model = load_start(config.model, classes=gold.classes, revision=config.revision, seed=config.loop.seed)
    encoding = model.encoding(config.max_length)
    mlm = None
    if asked is not None:
        length, judged = encoding.max_length, {"evaluation rows": evaluation, "validation rows": validation}
        mlm, place = pretrain(model, asked, config, max_length=length, judged=judged, ranks=ranks, tick=tick)
        better = load_start(str(place), classes=gold.classes, seed=config.loop.seed)
        model = replace(better, source=model.source, revision=model.revision, folder=model.folder)
    steps = GoldSteps(gold, encoding, batch_size=config.loop.batch_size, seed=config.loop.seed, ranks=ranks)
    return TrainingTask(
        model=model,
        start=config.model,
        steps=steps,
        loss=cross_entropy,
        procedure="fine-tuned on gold labels",
        settings=gold_settings(gold, asked),
        sources=list(config.gold.files) if config.stored is None else [open_store(config.stored.store).location],
        evaluation=judged_by(config, config.evaluation, encoding.max_length),
        evaluation_rows=evaluation,
        validation_rows=validation,
        rejected=gold.rejected + (mlm.rejected if mlm is not None else 0),
        reasons=[*gold.reasons, *(mlm.reasons if mlm is not None else ())],
        truncated=steps.truncated,
        mlm=mlm,
    )
