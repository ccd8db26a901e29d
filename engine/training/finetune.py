"""Gold labels → a fine-tuned classifier: the teacher, and the paper's directly trained students."""

from dataclasses import dataclass, field, replace

from engine.compute.device import best_device
from engine.evaluation.evaluate import EvalConfig, read_evaluation_rows
from engine.ingest.columns_before import columns_before
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.models.gold_texts import read_gold_texts, write_gold_texts
from engine.models.initialize import load_start
from engine.progress import Tick, silent
from engine.training.data.gold_steps import GoldSteps
from engine.training.data.stored_gold import StoredGold
from engine.training.distributed import Ranks, joined_ranks
from engine.training.learned import constant_gold_loss, warn_if_nothing_learned
from engine.training.loop import LoopConfig
from engine.training.loss import cross_entropy
from engine.training.output.run_folder import RunFolder
from engine.training.output.saved_model import Trained
from engine.training.run import RunConfig, TrainingTask, gold_sha256, locked_folder, run_training
from store.store import open_store


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(RunConfig):
    """A training on gold labels.

    Attributes:
        gold: labelled files and how to read them; of ``evaluation`` and ``validation`` too.
        stored: learn from the gold of a store instead.
        model: hub id or path of the initial weights; ``MODEL#layers=1,3,5`` keeps some layers, and a ``config.json``
            means random weights.
        revision: of the hub id.
        max_length: tokens a row; those of a training of ours that made ``model``, or 512, or as many as the model
            takes, if None.
        loop: hyperparameters.
    """

    gold: GoldConfig
    stored: StoredGold | None = None
    model: str
    revision: str | None = None
    max_length: int | None = None
    loop: LoopConfig = field(default_factory=LoopConfig)


def finetune(config: FinetuneConfig, *, tick: Tick = silent) -> Trained:
    """Train on gold labels, evaluate, and save; an interrupted run of the same training is resumed.

    Raises:
        EngineError: the files or the model cannot be used, the folder has another run, or the training fails.
    """
    RunFolder(config.out)
    with joined_ranks(best_device(), lost_seconds=config.lost_seconds) as ranks:
        gold = read_gold(config.gold) if config.stored is None else config.stored.read()
        task = _task(config, gold, ranks)
        with locked_folder(config.out, ranks) as folder:
            is_new = not folder.is_done
            trained = run_training(task, config, folder, ranks, tick=tick)
            if ranks.is_first and read_gold_texts(folder.path) is None:
                write_gold_texts(folder.path, gold.texts, start=task.model.folder)
        if is_new:
            warn_if_nothing_learned(trained, constant_gold_loss(gold))
        return trained


def _task(config: FinetuneConfig, gold: Gold, ranks: Ranks) -> TrainingTask:
    """Read the model."""
    model = load_start(config.model, classes=gold.classes, revision=config.revision, seed=config.loop.seed)
    encoding = model.encoding(config.max_length)
    columns = config.gold.columns
    if config.stored is not None:
        columns = replace(columns, before=columns_before(open_store(config.stored.store)))
    evaluation, validation = (
        EvalConfig(
            model=config.out,
            inputs=inputs,
            columns=columns,
            options=config.gold.options,
            max_length=encoding.max_length,
        )
        for inputs in (config.evaluation, config.validation.inputs)
    )
    steps = GoldSteps(gold, encoding, batch_size=config.loop.batch_size, seed=config.loop.seed, ranks=ranks)
    return TrainingTask(
        model=model,
        start=config.model,
        steps=steps,
        loss=cross_entropy,
        procedure="fine-tuned on gold labels",
        settings={"gold_sha256": gold_sha256(gold)},
        sources=list(config.gold.files) if config.stored is None else [open_store(config.stored.store).location],
        evaluation=evaluation,
        evaluation_rows=read_evaluation_rows(evaluation, gold.classes) if evaluation.inputs else None,
        validation_rows=read_evaluation_rows(validation, gold.classes) if validation.inputs else None,
        rejected=gold.rejected,
        reasons=gold.reasons,
        truncated=steps.truncated,
    )
