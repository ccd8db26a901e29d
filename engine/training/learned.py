"""The loss of a training → whether the model learned anything: a constant answer is what it must beat.

The constant is the mean of the targets, which needs no text: a model whose loss is no lower has found nothing in them.
"""

import logging
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.evaluation.evaluate import Evaluation
from engine.inputs.labels.labelled import Gold
from engine.training.data.store_steps import SoftLabels
from engine.training.output.trained import Trained
from engine.training.tasks.soft_loss import MSE, SoftLoss
from store import Store

_ROWS = 65_536
_SAME = 1e-4  # nats, or squared logits: less than fp16 tells apart
_log = logging.getLogger(__name__)


def warn_if_nothing_learned(trained: Trained, constant_loss: float | None) -> None:
    """Warn if the mean loss of the last epoch is not below ``constant_loss``; None if that is not known.

    Where the constant is right everywhere, it is the labels that say nothing.

    The loss of few steps says little: a model that is right about evaluation rows more often than their most frequent
    class would be has learned.
    """
    if constant_loss is None or trained.rank or not trained.epochs:
        return
    if constant_loss < _SAME:
        _log.warning(
            "the labels that %s learned from are the same for every row, and nothing can be learned from them. Look at "
            "what made them: a teacher that answers so has learned nothing itself",
            trained.out,
        )
        return
    if trained.epochs[-1].loss < constant_loss:
        return
    if trained.evaluation is not None and _is_better_than_constant(trained.evaluation):
        return
    _log.warning(
        "%s seems to have learned nothing: its mean loss in the last epoch is %.4f, and the same answer for every row, "
        "the mean of the labels, has %.4f. Begin with other weights (a pretrained model, or more of its layers), or "
        "give more --epochs or another --learning-rate (`engine compare` has them for each arm, as --teacher-epochs); "
        "and another --out, for this one holds what was trained",
        trained.out,
        trained.epochs[-1].loss,
        constant_loss,
    )


def _is_better_than_constant(evaluation: Evaluation) -> bool:
    """Whether the accuracy is above the share of the most frequent class, by more than two standard errors."""
    share = max(sum(row.values()) for row in evaluation.confusion.values()) / evaluation.rows
    return evaluation.accuracy > share + 2 * math.sqrt(share * (1 - share) / evaluation.rows)


def constant_gold_loss(gold: Gold) -> float:
    """Mean cross-entropy, in nats, of the shares of the classes: their entropy."""
    counts = np.bincount(gold.labels, minlength=len(gold.classes)).astype(np.float64)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def constant_soft_loss(store: Store, soft: SoftLabels, loss: SoftLoss) -> float | None:
    """Mean loss of a constant student: for ``kl`` the teachers' mean probabilities, for ``mse`` their mean logits.

    None where rows are weighted or have gold in their loss: then the mean of the teachers is not what is learned.
    """
    if soft.weights is not None or loss.gold_weight:
        return None
    stream = store.stream(labels=soft.labels, select=soft.select, batch_size=_ROWS)
    total, rows = torch.zeros(len(store.header.classes), dtype=torch.float64), stream.rows
    for batch in stream:
        total += _answers(_logits(batch["logits"], soft), loss).sum(dim=0).double()
    constant = (total / max(1, rows)).float()
    if loss.kind != MSE:
        constant = constant.clamp_min(1e-12).log() * loss.temperature
    summed = 0.0
    for batch in stream:
        teachers = _logits(batch["logits"], soft)
        summed += float(loss(constant.expand(len(teachers), -1), {"logits": teachers}))
    return summed / max(1, rows)


def _logits(stored: npt.NDArray[np.float16], soft: SoftLabels) -> Tensor:
    """(rows, label sets, classes) float32, divided by the temperatures of the label sets."""
    logits = torch.from_numpy(stored.astype(np.float32)).reshape(len(stored), len(soft.labels), stored.shape[-1])
    return logits if soft.temperatures is None else logits / torch.tensor(soft.temperatures)[:, None]


def _answers(teachers: Tensor, loss: SoftLoss) -> Tensor:
    """(rows, classes) what the student is to say: probabilities at the loss's temperature, or centred logits."""
    if loss.kind == MSE:
        return (teachers - teachers.mean(dim=-1, keepdim=True)).mean(dim=1)
    return (teachers / loss.temperature).softmax(dim=-1).mean(dim=1)
