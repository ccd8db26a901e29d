"""Logits and targets → a sum of losses over rows."""

import torch
from torch.nn import functional


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum over rows of the negative log-likelihood.

    Args:
        logits: (rows, classes).
        labels: (rows,) int64 class indices.
    """
    return functional.cross_entropy(logits.float(), labels, reduction="sum")


def kl_divergence(logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """Sum over rows of KL(teacher ‖ student) at temperature 1, in nats (Hinton et al. 2015).

    Its gradient is that of the cross-entropy with soft targets; it is zero where the student agrees.

    Args:
        logits: (rows, classes) of the student.
        teacher_logits: (rows, classes).
    """
    return functional.kl_div(
        functional.log_softmax(logits.float(), dim=-1),
        functional.log_softmax(teacher_logits.float(), dim=-1),
        reduction="sum",
        log_target=True,
    )
