"""Gold labels → a fine-tuned classifier: the teacher, and the paper's directly trained students."""

from dataclasses import dataclass, field

from engine.compute.device import best_device
from engine.evaluation.evaluate import EvalConfig, read_held_out
from engine.inputs.labelled import GoldConfig, read_gold
from engine.models.initialize import load_start
from engine.progress import Tick, silent
from engine.training.data.gold_steps import GoldSteps
from engine.training.distributed import Ranks, joined_ranks
from engine.training.loop import LoopConfig
from engine.training.loss import cross_entropy
from engine.training.output.run_folder import RunFolder
from engine.training.output.saved_model import Trained
from engine.training.run import RunConfig, Task, gold_sha256, held_folder, run_training


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(RunConfig):
    """A training on gold labels.

    Attributes:
        gold: labelled files and how to read them.
        model: hub id or path to begin with; ``MODEL#layers=1,3,5`` keeps some layers, and a ``config.json`` begins
            with random weights.
        revision: of the hub id.
        max_length: tokens a row.
        loop: how to train.
    """

    gold: GoldConfig
    model: str
    revision: str | None = None
    max_length: int | None = None
    loop: LoopConfig = field(default_factory=LoopConfig)


def finetune(config: FinetuneConfig, *, tick: Tick = silent) -> Trained:
    """Train on gold labels, judge, and save; go on where an earlier run of the same training was stopped.

    Raises:
        EngineError: the files, the model or the folder do not fit.
    """
    RunFolder(config.out)
    with joined_ranks(best_device(), lost_seconds=config.lost_seconds) as ranks:
        task = _task(config, ranks)
        with held_folder(config.out, ranks) as folder:
            return run_training(task, config, folder, ranks, tick=tick)


def _task(config: FinetuneConfig, ranks: Ranks) -> Task:
    gold = read_gold(config.gold)
    model = load_start(config.model, classes=gold.classes, revision=config.revision, seed=config.loop.seed)
    encoding = model.encoding(config.max_length)
    held_out, validation = (
        EvalConfig(model=config.out, inputs=inputs, columns=config.gold.columns, max_length=encoding.max_length)
        for inputs in (config.evaluation, config.validation.inputs)
    )
    return Task(
        model=model,
        start=config.model,
        steps=GoldSteps(gold, encoding, batch_size=config.loop.batch_size, seed=config.loop.seed, ranks=ranks),
        loss=cross_entropy,
        procedure="fine-tuned on gold labels",
        asked={"gold_sha256": gold_sha256(gold)},
        sources=list(config.gold.files),
        gold=read_held_out(held_out, gold.classes) if held_out.inputs else None,
        held_out=held_out,
        validation=read_held_out(validation, gold.classes) if validation.inputs else None,
        rejected=gold.rejected,
        reasons=gold.reasons,
    )
