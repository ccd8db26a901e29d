"""Steps of rows and targets → a trained model. The one loop that gold and soft labels share.

A step is a number of rows. The token budget only cuts it into micro-batches: the loss is the sum over the step's rows
divided by their number, so that it does not depend on the budget.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.errors import TrainingError
from engine.forward import Forward
from engine.model import Classifier
from engine.packed_model import PADDED, PLAIN, choose_path
from engine.progress import Tick, silent
from engine.tokens import Tokens

CPU_BUDGET = 2048
CUDA_BUDGET = 16_384
_PROBED = 128

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(logits, targets) → the sum of the rows' losses."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How to train. The defaults are the recipe of Mosbach et al. (2020) for few labels, but for the epochs.

    Attributes:
        epochs: passes over the rows.
        batch_size: rows a step.
        learning_rate: its peak: it rises over the first ``warmup`` of the steps and falls to zero, linearly.
        warmup: share of the steps.
        weight_decay: of AdamW; not on biases and norms.
        clip: largest norm of the gradient.
        seed: of the order and of dropout.
        tokens_per_batch: tokens of a micro-batch, padding included where rows are padded; by device where None.
    """

    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    tokens_per_batch: int | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.learning_rate <= 0:
            raise TrainingError(
                f"epochs {self.epochs}, batch size {self.batch_size} and learning rate {self.learning_rate} "
                "must all be positive"
            )


@dataclass(frozen=True, kw_only=True)
class Step:
    """The rows of one optimiser step.

    Attributes:
        tokens: token ids of at least these rows.
        rows: (n,) which rows of ``tokens``.
        targets: (n, …) what the loss compares with.
    """

    tokens: Tokens
    rows: npt.NDArray[np.int64]
    targets: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What one epoch came to.

    Attributes:
        epoch: from 1.
        loss: mean over its rows.
        rows: how many.
        seconds: wall time.
    """

    epoch: int
    loss: float
    rows: int
    seconds: float


def fit(
    model: Classifier,
    epoch_steps: Callable[[int], Iterable[Step]],
    loss: Loss,
    config: LoopConfig,
    *,
    steps_per_epoch: int,
    device: torch.device,
    tick: Tick = silent,
) -> list[EpochReport]:
    """Train ``model`` in place.

    Args:
        model: what to train.
        epoch_steps: the steps of an epoch, counted from 0.
        loss: of a micro-batch.
        config: how.
        steps_per_epoch: how many there are.
        device: where.
        tick: told the step, of all epochs' steps, and what the loss is.

    Raises:
        TrainingError: there is no row, or the loss is not finite.
    """
    if steps_per_epoch < 1:
        raise TrainingError("there is no row to learn from")
    torch.manual_seed(config.seed)
    module = model.module.to(device)
    forward = _forward(module, config, device)
    total = config.epochs * steps_per_epoch
    optimizer = _optimizer(module, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _linear(total, config.warmup))
    reports = []
    done = 0
    for epoch in range(config.epochs):
        started, loss_sum, rows = time.perf_counter(), 0.0, 0
        for step in epoch_steps(epoch):
            step_loss = _accumulate(forward, step, loss, device)
            if not np.isfinite(step_loss):
                raise TrainingError(f"the loss is {step_loss} at step {done:,}; lower --learning-rate")
            torch.nn.utils.clip_grad_norm_(module.parameters(), config.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            done, loss_sum, rows = done + 1, loss_sum + step_loss, rows + len(step.rows)
            tick(f"training, epoch {epoch + 1}, loss {loss_sum / rows:.4f}", done, total)
        seconds = time.perf_counter() - started
        reports.append(EpochReport(epoch=epoch + 1, loss=loss_sum / rows, rows=rows, seconds=round(seconds, 3)))
    module.eval()
    return reports


def _forward(module: Any, config: LoopConfig, device: torch.device) -> Forward:
    """Packed rows on a CPU. A GPU's kernel for them has no dropout, and without it they are slower than padded ones."""
    budget = config.tokens_per_batch or (CUDA_BUDGET if device.type == "cuda" else CPU_BUDGET)
    path = choose_path(module.eval(), longest=_PROBED, among=(PLAIN,)) if device.type == "cpu" else PADDED
    return Forward(module.train(), path=path, budget=budget, longest=_PROBED)


def _accumulate(forward: Forward, step: Step, loss: Loss, device: torch.device) -> float:
    """Gradients of one step, micro-batch by micro-batch; the sum of its rows' losses."""
    targets = torch.from_numpy(step.targets).to(device)
    total = 0.0
    for part in forward.plan(step.tokens.lengths[step.rows]):
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = forward(step.tokens, step.rows[part])
        summed = loss(logits, targets[torch.from_numpy(part).to(device)])
        torch.autograd.backward(summed / len(step.rows))
        total += float(summed.detach())
    return total


def _optimizer(module: Any, config: LoopConfig) -> torch.optim.Optimizer:
    """AdamW with bias correction; no decay on biases and norms, which are the parameters of one dimension."""
    decayed = [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim > 1]
    plain = [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, eps=1e-6, fused=True)


def _linear(total: int, warmup: float) -> Callable[[int], float]:
    """Factor of the learning rate at a step: up over the warm-up, then down to zero at ``total``."""
    rising = max(1, round(total * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (total - step) / max(1, total - rising))

    return factor
