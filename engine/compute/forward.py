"""Rows of token ids → their logits on a device, packed or padded. What labelling, evaluation and training share."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.compute.attention import has_kernel, rows_of
from engine.compute.linear import use_products
from engine.compute.packed_model import COMPILED, FUSED, PADDED, PackedModel
from engine.compute.packing import fill, pack
from engine.models.layers import shared_copy
from engine.tokens.batches import Plan, pad, plan, plan_packed, waste
from engine.tokens.tokens import Tokens

Rows = npt.NDArray[np.int64]


class Forward:
    """A classifier's forward pass.

    Args:
        module: the classifier, on its device and in its dtype.
        path: how it computes, as `engine.compute.packed_model.choose_path` found.
        budget: tokens a batch.
        longest: tokens of a row at most.

    Attributes:
        module: what computes batches: ``module``, or its packed twin.
        budget: tokens a batch.
        fits: tokens for which memory suffices, as far as is known; batches are not filled up beyond.
    """

    def __init__(self, module: Any, *, path: str, budget: int, longest: int) -> None:
        self.budget = self.fits = budget
        self._longest = longest
        self._padded = module
        fused = path in (FUSED, COMPILED)
        self._packed = None if path == PADDED else PackedModel(module, fused=fused, compiled=path == COMPILED)
        self.module: Any = _quick(module) if self._packed is None else self._packed.module
        self._kernel = self._packed is not None and _fits_kernel(module)
        self._is_filled = self._kernel and not module.training  # what is trained is not compiled

    @property
    def has_attention_dropout(self) -> bool:
        """Whether attention weights are dropped in training: the kernel for rows of different lengths cannot."""
        return not self._kernel

    def plan(self, lengths: npt.NDArray[np.int64]) -> Plan:
        """Cut rows into batches."""
        if self._packed is None:
            return plan(lengths, budget=self.budget)
        return plan_packed(np.maximum(lengths, 1), budget=self.budget)

    def computed_tokens(self, batches: Plan, lengths: npt.NDArray[np.int64]) -> int:
        """Tokens that ``batches`` compute, padding included."""
        if self._packed is None:
            return waste(batches, lengths).padded
        return sum(self._size(batch, int(lengths[batch].sum())) for batch in batches)

    def _size(self, rows: Rows, tokens: int) -> int:
        """Tokens of a packed batch, filled up. Where memory was short, a row alone is not: it shall have a chance."""
        is_last_chance = len(rows) == 1 and self.fits < self.budget
        return max(tokens, self.fits) if self._is_filled and not is_last_chance else tokens

    def __call__(self, tokens: Tokens, rows: Rows) -> Tensor:
        """(rows, classes) logits on the device, of chosen rows."""
        if self._packed is None or (tokens.offsets[rows + 1] == tokens.offsets[rows]).any():
            return padded_logits(self._padded if self._packed else self.module, tokens, rows)
        packing = pack(tokens.ids, tokens.offsets, rows)
        if self._is_filled:  # one shape for all batches
            packing = fill(packing, tokens=self._size(rows, len(packing.ids)), rows=packing.rows)
        longest = self._longest if self._kernel else None
        placed = rows_of(packing, self._padded.device, kernel=self._kernel, longest=longest)
        return self._packed(packing, placed)


def _fits_kernel(module: Any) -> bool:
    """Whether its device has the kernel for rows of different lengths, and the kernel takes heads of its width.

    Training computes in bfloat16 there, whatever the type of the parameters.
    """
    dtype = torch.bfloat16 if module.training else module.dtype
    width = module.config.hidden_size // module.config.num_attention_heads
    return has_kernel(module.device, dtype) and width % 8 == 0 and width <= 256


def _quick(module: Any) -> Any:
    """The same module for padded rows, with quicker products where it is not trained."""
    if module.training:
        return module
    quick = shared_copy(module)
    use_products(quick)
    return quick


def padded_logits(module: Any, tokens: Tokens, rows: Rows) -> Tensor:
    """(rows, classes) logits of ``module`` in one rectangle; without a mask where nothing is padded."""
    ids, real = pad(tokens.ids, tokens.offsets, rows, pad_id=module.config.pad_token_id)
    real[:, 0] = True  # a row of no tokens is computed as one of padding, whatever is beside it
    mask = None if real.all() else torch.from_numpy(real.astype(np.int64)).to(module.device)
    logits: Tensor = module(input_ids=torch.from_numpy(ids).to(module.device), attention_mask=mask).logits
    return logits
