"""Gold labels → a fine-tuned classifier: the teacher, and the paper's directly trained students."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.device import best_device
from engine.evaluation.evaluate import EvalConfig, read_held_out
from engine.inputs.gold import Gold, GoldConfig, read_gold
from engine.progress import Tick, silent
from engine.start import load_start
from engine.tokens import Encoding
from engine.training.loop import LoopConfig
from engine.training.loss import cross_entropy
from engine.training.ranks import Ranks, joined_ranks
from engine.training.run import RunConfig, Task, carry_out, gold_sha256, held_folder
from engine.training.run_folder import RunFolder
from engine.training.steps import Step
from engine.training.trained import Trained
from store.rows.order import whole_order
from store.stream import part_of


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
            return carry_out(task, config, folder, ranks, tick=tick)


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


class GoldSteps:
    """Steps over gold rows, in the order that a store's stream would give them; as `engine.training.steps.Steps`.

    Args:
        gold: the rows.
        encoding: of the model.
        batch_size: rows a step, of all ranks.
        seed: of the order.
        ranks: of which this process is one.
    """

    def __init__(self, gold: Gold, encoding: Encoding, *, batch_size: int, seed: int, ranks: Ranks) -> None:
        self.rows, self.longest = len(gold.texts), encoding.max_length
        self.per_epoch = -(-self.rows // batch_size)
        self._tokens, self._labels = encoding.encode(gold.texts), gold.labels
        self._batch_size, self._seed, self._ranks = batch_size, seed, ranks

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of one epoch, from step ``first`` on."""
        order = whole_order(self.rows, seed=self._seed, epoch=epoch)
        rank, count = self._ranks.rank, self._ranks.count
        for start in range(first * self._batch_size, self.rows, self._batch_size):
            step = order[start : start + self._batch_size]
            rows = step[slice(*part_of(len(step), rank=rank, ranks=count))]
            yield Step(tokens=self._tokens, rows=rows, targets={"label": self._labels[rows]}, size=len(step))
