"""Gold labels → a fine-tuned classifier: the teacher, and the paper's directly trained students."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from engine.device import best_device
from engine.evaluation.evaluate import EvalConfig, evaluate_trained, read_held_out
from engine.inputs.gold import Gold, GoldConfig, read_gold
from engine.model import load_start
from engine.progress import Tick, silent
from engine.tokens import Tokens
from engine.training.loop import LoopConfig, Step, fit
from engine.training.loss import cross_entropy
from engine.training.trained import Trained, prepare_folder, save_trained
from store.order import epoch_windows


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """A training on gold labels.

    Attributes:
        gold: labelled files and how to read them.
        model: hub id or path to begin with; ``MODEL#layers=1,3,5`` keeps some layers.
        out: folder for the result; new or empty.
        revision: of the hub id.
        max_length: tokens a row.
        loop: how to train.
        evaluation: labelled files to judge the result on, or None.
    """

    gold: GoldConfig
    model: str
    out: str
    revision: str | None = None
    max_length: int | None = None
    loop: LoopConfig = field(default_factory=LoopConfig)
    evaluation: tuple[str, ...] = ()


def finetune(config: FinetuneConfig, *, tick: Tick = silent) -> Trained:
    """Train on gold labels, judge, and save.

    Raises:
        EngineError: the files, the model or the folder do not fit.
    """
    out = prepare_folder(config.out)
    gold = read_gold(config.gold)
    model = load_start(config.model, classes=gold.classes, revision=config.revision, seed=config.loop.seed)
    encoding = model.encoding(config.max_length)
    wanted = EvalConfig(
        model=str(out), inputs=config.evaluation, columns=config.gold.columns, max_length=encoding.max_length
    )
    held_out = read_held_out(wanted, gold.classes) if config.evaluation else None
    tokens = encoding.encode(gold.texts)

    def epoch_steps(epoch: int) -> Iterator[Step]:
        return gold_steps(tokens, gold, epoch=epoch, seed=config.loop.seed, batch_size=config.loop.batch_size)

    device = best_device()
    steps = -(-len(gold.texts) // config.loop.batch_size)
    epochs = fit(model, epoch_steps, cross_entropy, config.loop, steps_per_epoch=steps, device=device, tick=tick)
    evaluation = evaluate_trained(model, held_out, wanted, tick=tick) if held_out else None
    trained = Trained(
        out=str(out),
        start=config.model,
        procedure="fine-tuned on gold labels",
        classes=gold.classes,
        rows=len(gold.texts),
        rejected=gold.rejected,
        reasons=gold.reasons,
        max_length=encoding.max_length,
        loop=config.loop,
        epochs=epochs,
        evaluation=evaluation,
    )
    save_trained(model, trained, sources=list(config.gold.files))
    return trained


def gold_steps(tokens: Tokens, gold: Gold, *, epoch: int, seed: int, batch_size: int) -> Iterator[Step]:
    """The steps of one epoch over gold rows, in the order that a store's stream would give them."""
    windows = epoch_windows(len(gold.texts), seed=seed, epoch=epoch)
    order = np.concatenate([members[permutation] for members, permutation in windows])
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield Step(tokens=tokens, rows=rows, targets=gold.labels[rows])
