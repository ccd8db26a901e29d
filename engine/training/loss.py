"""Logits and targets → a sum of losses over rows.

Targets are tensors by name, with a row each: ``label`` (rows,) int64, the gold class or -1; ``logits`` (rows, label
sets, classes), the teachers'; ``weight`` (rows,) float32. Where tokens are hidden, ``label`` is (rows, most hidden).
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.tokens.masking import IGNORED
from engine.training.tasks.soft_loss import MSE, SoftLoss

Targets = Mapping[str, Tensor]
Loss = Callable[[Tensor, Targets], Tensor]
"""(logits, targets) → the sum of the rows' losses."""


def cross_entropy(logits: Tensor, targets: Targets) -> Tensor:
    """Sum over rows of the negative log-likelihood of ``label``, every one of which is a class."""
    return functional.cross_entropy(logits.float(), targets["label"], reduction="sum")


def masked_cross_entropy(logits: Tensor, targets: Targets, *, share: float = 1.0) -> Tensor:
    """Sum over rows of the mean over a row's hidden tokens of their negative log-likelihood, in nats.

    So a text counts as any other, however long it is, as where classes are learned.

    Args:
        logits: (hidden, vocabulary), in the order of the labels that are not `IGNORED`.
        targets: ``label`` is (rows, most hidden in one); each row has a hidden token.
        share: of such rows among all that a step counts.
    """
    labels = targets["label"]
    is_hidden = labels != IGNORED
    each = functional.cross_entropy(logits.float(), labels[is_hidden], reduction="none")
    counts = is_hidden.sum(dim=1)
    return (each / counts.repeat_interleave(counts)).sum() / share


def soft_loss(chosen: SoftLoss, logits: Tensor, targets: Targets) -> Tensor:
    """The sum over rows of (1 - g) · soft + g · hard, times the row's weight; g is 0 for rows without gold."""
    losses = _soft(chosen, logits, targets["logits"])
    if chosen.gold_weight:
        labels = targets["label"]
        hard = functional.cross_entropy(logits.float(), labels.clamp(min=0), reduction="none")
        losses = torch.where(labels >= 0, torch.lerp(losses, hard, chosen.gold_weight), losses)
    return (losses * targets["weight"]).sum() if "weight" in targets else losses.sum()


def _soft(chosen: SoftLoss, logits: Tensor, teachers: Tensor) -> Tensor:
    if chosen.kind == MSE:
        return centred_mse(logits, teachers)
    return kl_divergence(logits, teachers, temperature=chosen.temperature)


def kl_divergence(logits: Tensor, teachers: Tensor, *, temperature: float = 1.0) -> Tensor:
    """(rows,) T² · KL(teachers ‖ student) at temperature T, in nats (Hinton et al. 2015).

    Of several teachers the probabilities at that temperature are averaged. At 1 its gradient is that of the
    cross-entropy with soft targets; it is zero if the student agrees.

    Args:
        logits: (rows, classes) of the student.
        teachers: (rows, label sets, classes) logits.
        temperature: T.
    """
    student = functional.log_softmax(logits.float() / temperature, dim=-1)
    each = functional.log_softmax(teachers.float() / temperature, dim=-1)
    teacher = torch.logsumexp(each, dim=1) - torch.log(torch.tensor(float(each.shape[1])))
    divergence = functional.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=-1)
    return temperature**2 * divergence


def centred_mse(logits: Tensor, teachers: Tensor) -> Tensor:
    """(rows,) mean over classes of the squared difference of logits, each row's mean taken off (Ba and Caruana 2014).

    Of several teachers the centred logits are averaged.

    Args:
        logits: (rows, classes) of the student.
        teachers: (rows, label sets, classes) logits.
    """
    student, teacher = _centred(logits.float()), _centred(teachers.float()).mean(dim=1)
    return (student - teacher).square().mean(dim=-1)


def _centred(logits: Any) -> Tensor:
    centred: Tensor = logits - logits.mean(dim=-1, keepdim=True)
    return centred
