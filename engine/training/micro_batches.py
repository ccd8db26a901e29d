"""The rows of a step → their gradients and losses, micro-batch by micro-batch."""

import logging
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Forward, Workload
from engine.compute.backends import choose_backend
from engine.compute.cpu.memory import keep_memory
from engine.compute.device import free_memory
from engine.compute.encoder import is_out_of_memory
from engine.compute.torch_backends import PADDED
from engine.errors import TrainingError
from engine.models.padding import adopt_padding
from engine.models.probe import settle_length
from engine.training.data.steps import Step
from engine.training.loss import Loss, Targets
from engine.training.optimizer import FlatGradients

CPU_BUDGETS = {"fp32": 2048, "bf16": 4096}
"""By dtype of the products. In bf16 the work that each micro-batch costs, to cast weights and to add up gradients,
counts for more: a step takes 0.9 of its time at 4,096 there (Xeon with AMX), and in fp32 as long as at 2,048."""
CUDA_BUDGETS = (4096, 65_536)
"""At least and at most. On an H100, BERT-small's shape takes 43 ms for a step of 45,600 tokens in parts of 16,384, and
23 ms in one: launching bounds the small ones."""

_BYTES = 48  # a token, layer and hidden unit in training; 37 were measured in bfloat16, with dropout
_PROBED = 512
_log = logging.getLogger(__name__)


class MakeForward(Protocol):
    """A module in training → what computes its batches."""

    def __call__(  # noqa: D102
        self, module: Any, device: torch.device, *, dtype: str, budget: int, longest: int
    ) -> Forward: ...


def classifier_forward(module: Any, device: torch.device, *, dtype: str, budget: int, longest: int) -> Forward:
    """What computes batches of a classifier; a `MakeForward`."""
    workload = Workload(longest=min(longest, _PROBED), device=device, training=True)
    adopt_padding(module)
    backend = choose_backend(module.eval(), workload)
    if backend.pads or device.type == "cuda":  # which pads, too, what its kernel does not take
        settle_length(module, longest)
    forward = backend.make(module.train(), budget=budget, longest=longest)
    if device.type == "cuda" and (dtype == "fp32" or forward.has_attention_dropout):  # packed rows are slow without it
        return PADDED.make(module, budget=budget, longest=longest)
    return forward


class MicroBatches:
    """Micro-batches of packed rows if that gives the model's own logits; on a GPU only if it has the kernel for them.

    After memory ran out they are smaller for the rest of the run.

    Args:
        module: the model in training, on its device.
        loss: of a micro-batch.
        device: of the module.
        budget: tokens of a micro-batch; by device and dtype if None.
        longest: tokens of the longest row.
        dtype: of the products, ``fp32`` or ``bf16``; by device if None. Parameters and gradients are in fp32.
        make: what computes batches.
    """

    def __init__(
        self,
        module: Any,
        loss: Loss,
        device: torch.device,
        *,
        budget: int | None,
        longest: int,
        dtype: str | None = None,
        make: MakeForward = classifier_forward,
    ) -> None:
        self._dtype = dtype or ("bf16" if device.type == "cuda" else "fp32")
        self._loss = loss
        self._device = device
        if device.type == "cpu":
            keep_memory()
        self._is_default = budget is None and device.type == "cpu"
        budget = budget or default_budget(module.config, device)
        self._forward = make(module, device, dtype=self._dtype, budget=budget, longest=longest)
        if not self._forward.has_attention_dropout:
            _log.info("rows are packed; attention has no dropout then, since the GPU's kernel knows none")
        self._most = self.budget
        self.dtype = self._dtype

    @property
    def dtype(self) -> str:
        """Of the products. It also decides the budget, if that was not given."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: str) -> None:
        self._dtype = dtype
        if self._is_default:
            self.budget = min(self._most, CPU_BUDGETS[dtype])

    @property
    def budget(self) -> int:
        """Tokens of a micro-batch; becomes smaller when memory runs out."""
        return self._forward.budget

    @budget.setter
    def budget(self, tokens: int) -> None:
        self._forward.budget = self._forward.fits = tokens

    def __call__(self, step: Step, gradients: FlatGradients, *, seed: tuple[int, ...]) -> None:
        """The gradients of the step's rows, of the loss divided by the rows of the whole step, and the sum of losses.

        When memory runs out, the step is computed anew with smaller micro-batches: a backward pass that ended midway
        has added a part of its gradients. So the result depends on the step, the seed and the last budget alone.

        Args:
            step: this rank's rows.
            gradients: what they held is lost; ``sums[0]`` becomes the sum of the losses, undivided.
            seed: of dropout.

        Raises:
            TrainingError: a single row does not fit into memory.
        """
        targets = {name: torch.from_numpy(array).to(self._device) for name, array in step.targets.items()}
        while (too_large := self._first_too_large(step, targets, gradients, seed)) is not None:
            self._split(step, too_large)

    def _first_too_large(
        self, step: Step, targets: Targets, gradients: FlatGradients, seed: tuple[int, ...]
    ) -> npt.NDArray[np.int64] | None:
        """Compute a step; the rows of its first micro-batch that does not fit into memory, None if all do."""
        _seed_dropout(self._device, seed)
        gradients.zero()
        for part in self._forward.plan_rows(step.tokens, step.rows) if len(step.rows) else ():
            chosen = torch.from_numpy(part).to(self._device)
            try:
                gradients.sums[0] += self._micro_batch(
                    step, part, {name: tensor[chosen] for name, tensor in targets.items()}
                )
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                return part
        return None

    def _split(self, step: Step, part: npt.NDArray[np.int64]) -> None:
        """Halve the budget, because memory ran out on some rows of ``step``."""
        with self._products():
            size = self._forward.computed_tokens([np.arange(len(part))], _lengths(step)[part])
        if len(part) == 1:
            raise TrainingError(
                f"{self._device} ran out of memory on one row of {size:,} tokens; lower --max-length, or "
                "take a smaller model"
            )
        self.budget = self._most = max(1, size // 2)
        free_memory(self._device)
        _log.warning(
            "%s ran out of memory on %s rows of %s tokens; micro-batches have at most %s tokens from now on, which "
            "changes no step",
            *(self._device, f"{len(part):,}", f"{size:,}", f"{self.budget:,}"),
        )

    def _products(self) -> torch.autocast:
        """Computes products in the dtype inside."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self.dtype == "bf16")

    def _micro_batch(self, step: Step, part: npt.NDArray[np.int64], targets: Targets) -> torch.Tensor:
        """Add the gradients of some rows; the sum of their losses."""
        with self._products():
            logits = self._forward(step.tokens, step.rows[part])
        summed = self._loss(logits, targets)
        torch.autograd.backward(summed / step.size)
        return summed.detach()


def _seed_dropout(device: torch.device, seed: tuple[int, ...]) -> None:
    """Seed the generators that ``device`` draws from; `torch.manual_seed` does the same for every kind of device.

    Without a GPU that takes 1 to 2 ms, to note down where it was called from.
    """
    number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)


def default_budget(config: Any, device: torch.device) -> int:
    """Tokens of a micro-batch: on a GPU as many as half of its free memory holds, a power of two."""
    if device.type != "cuda":
        return max(CPU_BUDGETS.values())
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
