"""The rows of a step → their gradients and losses, micro-batch by micro-batch."""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Workload
from engine.compute.backends import choose_backend
from engine.compute.cpu.memory import keep_memory
from engine.compute.encoder import is_out_of_memory
from engine.compute.torch_backends import PADDED
from engine.errors import TrainingError
from engine.models.padding import adopt_padding
from engine.models.probe import settle_length
from engine.training.data.steps import Step
from engine.training.loss import Loss, Targets
from engine.training.optimizer import FlatGradients

CPU_BUDGET = 2048
CUDA_BUDGETS = (4096, 65_536)
"""At least and at most. On an H100, BERT-small's shape takes 43 ms for a step of 45,600 tokens in parts of 16,384, and
23 ms in one: launching bounds the small ones."""

_BYTES = 48  # a token, layer and hidden unit in training; 37 were measured in bfloat16, with dropout
_PROBED = 512
_log = logging.getLogger(__name__)


class MicroBatches:
    """Micro-batches of packed rows if that gives the model's own logits; on a GPU only if it has the kernel for them.

    Args:
        module: the model in training, on its device.
        loss: of a micro-batch.
        device: of the module.
        budget: tokens of a micro-batch; by device if None.
        longest: tokens of the longest row.
    """

    def __init__(self, module: Any, loss: Loss, device: torch.device, *, budget: int | None, longest: int) -> None:
        self._loss = loss
        self._device = device
        if device.type == "cpu":
            keep_memory()
        budget = budget or default_budget(module.config, device)
        workload = Workload(longest=min(longest, _PROBED), device=device, training=True)
        adopt_padding(module)
        backend = choose_backend(module.eval(), workload)
        if backend.pads or device.type == "cuda":  # which pads, too, what its kernel does not take
            settle_length(module, longest)
        self._forward = backend.make(module.train(), budget=budget, longest=longest)
        if device.type == "cuda" and self._forward.has_attention_dropout:  # packed rows are slow without the kernel
            self._forward = PADDED.make(module, budget=budget, longest=longest)
        if not self._forward.has_attention_dropout:
            _log.info("rows are packed; attention has no dropout then, since the GPU's kernel knows none")

    def __call__(self, step: Step, gradients: FlatGradients) -> None:
        """Add the gradients of the step's rows, of the loss divided by the rows of the whole step, and their losses.

        ``gradients.sums[0]`` becomes the sum of the losses, undivided.
        """
        targets = {name: torch.from_numpy(array).to(self._device) for name, array in step.targets.items()}
        for part in self._forward.plan_rows(step.tokens, step.rows) if len(step.rows) else ():
            chosen = torch.from_numpy(part).to(self._device)
            try:
                gradients.sums[0] += self._micro_batch(
                    step, part, {name: tensor[chosen] for name, tensor in targets.items()}
                )
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                tokens = int(_lengths(step)[part].sum())
                raise TrainingError(
                    f"{self._device} ran out of memory on {len(part)} rows of {tokens:,} tokens; lower "
                    f"--tokens-per-batch, which is {self._forward.budget:,}: that changes no step and no loss"
                ) from None

    def _micro_batch(self, step: Step, part: npt.NDArray[np.int64], targets: Targets) -> torch.Tensor:
        """Add the gradients of some rows; the sum of their losses."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            logits = self._forward(step.tokens, step.rows[part])
        summed = self._loss(logits, targets)
        torch.autograd.backward(summed / step.size)
        return summed.detach()


def default_budget(config: Any, device: torch.device) -> int:
    """Tokens of a micro-batch: on a GPU as many as half of its free memory holds, a power of two."""
    if device.type != "cuda":
        return CPU_BUDGET
    free, _ = torch.cuda.mem_get_info(device)
    return fitting_budget(free // 2, layers=config.num_hidden_layers, hidden=config.hidden_size)


def fitting_budget(memory: int, *, layers: int, hidden: int) -> int:
    """The power of two of tokens that a training of such a model fits into ``memory`` bytes, inside `CUDA_BUDGETS`."""
    least, most = CUDA_BUDGETS
    tokens = memory // (_BYTES * layers * hidden)
    return min(most, max(least, 1 << max(tokens, 1).bit_length() - 1))


def _lengths(step: Step) -> npt.NDArray[np.int64]:
    offsets = step.tokens.offsets
    return offsets[step.rows + 1] - offsets[step.rows]
