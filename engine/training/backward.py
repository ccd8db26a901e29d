"""One step's rows → their gradients and losses, micro-batch by micro-batch. What a training computes its steps with."""

import logging
from typing import Any

import torch

from engine.forward import Forward
from engine.packed_model import FUSED, PADDED, PLAIN, choose_path
from engine.training.loss import Loss
from engine.training.optimizer import FlatGradients
from engine.training.steps import Step

CPU_BUDGET = 2048
CUDA_BUDGET = 16_384
_PROBED = 128
_log = logging.getLogger(__name__)


class Backward:
    """Rows are packed where that gives the model's own logits; on a GPU only where it has the kernel for them.

    Args:
        module: what is trained, on its device.
        loss: of a micro-batch.
        device: of the module.
        budget: tokens of a micro-batch; by device where None.
        longest: tokens that a row has at most.
    """

    def __init__(self, module: Any, loss: Loss, device: torch.device, *, budget: int | None, longest: int) -> None:
        self._loss = loss
        self._device = device
        budget = budget or (CUDA_BUDGET if device.type == "cuda" else CPU_BUDGET)
        path = choose_path(module.eval(), longest=min(longest, _PROBED), among=(FUSED, PLAIN))
        self._forward = Forward(module.train(), path=path, budget=budget, longest=longest)
        if device.type == "cuda" and path != PADDED and self._forward.has_attention_dropout:
            self._forward = Forward(module, path=PADDED, budget=budget, longest=longest)
        if not self._forward.has_attention_dropout:
            _log.info("rows are packed; attention has no dropout then, since the GPU's kernel knows none")

    def __call__(self, step: Step, gradients: FlatGradients) -> None:
        """Add the gradients of the step's rows, of the loss divided by the rows of the whole step, and their losses.

        ``gradients.sums[0]`` becomes the sum of the losses, undivided.
        """
        targets = {name: torch.from_numpy(array).to(self._device) for name, array in step.targets.items()}
        for part in self._forward.plan(step.tokens.lengths[step.rows]) if len(step.rows) else ():
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
                logits = self._forward(step.tokens, step.rows[part])
            chosen = torch.from_numpy(part).to(self._device)
            summed = self._loss(logits, {name: tensor[chosen] for name, tensor in targets.items()})
            torch.autograd.backward(summed / step.size)
            gradients.sums[0] += summed.detach()
