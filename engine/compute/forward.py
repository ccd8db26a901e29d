"""Rows of token ids → their logits by torch, packed or padded. What labelling, evaluation and training share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.compute.attention import has_kernel, on_device
from engine.compute.backend import Forward
from engine.compute.cpu.bf16_attention import Bf16Attention
from engine.compute.layers.linear import use_products
from engine.compute.packed_model import MakeLayers, PackedModel
from engine.compute.packing import PackedRows, fill, pack
from engine.models.batching import batching_of, own_errors, padded_logits
from engine.models.layers import shared_copy, stack_name
from engine.models.probe import settled
from engine.tokens.batches import Plan, plan_packed
from engine.tokens.tokens import Tokens

_LEAST_ROWS = 8  # that a batch of few shapes is filled up to


class PaddedForward(Forward):
    """Rows in rectangles, padded to the longest row of a batch, through the model's own layers.

    Args:
        module: the classifier, on its device and in its dtype.
        budget: tokens a batch, padding included.
        longest: tokens of the longest row.

    Attributes:
        module: computes batches: ``module``, with faster matrix products if it is not trained.
    """

    def __init__(self, module: Any, *, budget: int, longest: int) -> None:
        super().__init__(budget=budget)
        self.module: Any = module
        if not module.training:
            self.module = shared_copy(settled(module, longest))
            use_products(self.module)

    def kinds(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
        """(rows,) numbers: rows that differ in theirs would change each other's logits."""
        return batching_of(self.module).kinds(tokens, rows)

    def __call__(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Tensor:
        """(rows, classes) logits on the device, of chosen rows."""
        return padded_logits(self.module, tokens, rows)

    def on_layer(self, call: Callable[[], None]) -> None:
        """Let ``call`` be called before each layer, because a batch may take long."""
        _before_layers(self.module, call)


class PackedForward(Forward):
    """Rows one after the other, without padding between them.

    Args:
        module: the classifier, on its device and in its dtype.
        make_layers: as in `PackedModel`.
        bf16_attention: how their attention is computed in bf16, on a CPU; None if it is not.
        budget: tokens a batch.
        longest: tokens of the longest row.

    Attributes:
        module: computes batches: the packed twin of ``module``.
    """

    def __init__(
        self,
        module: Any,
        *,
        make_layers: MakeLayers | None = None,
        bf16_attention: Bf16Attention | None = None,
        budget: int,
        longest: int,
    ) -> None:
        module = module if module.training else settled(module, longest)
        self._packed = PackedModel(module, make_layers=make_layers)
        super().__init__(budget=self._packed.most_tokens(budget))
        self._longest = longest
        self._bf16_attention = bf16_attention
        self._padded = module
        self.module: Any = self._packed.module
        self._kernel = _fits_kernel(module)
        self._on_cpu = module.device.type == "cpu" and not self._kernel
        self._is_filled = self._kernel and not module.training  # models in training are not compiled
        self.has_attention_dropout = not self._kernel  # the kernel for rows of different lengths has none

    def plan(self, lengths: npt.NDArray[np.int64]) -> Plan:
        """Cut rows into batches."""
        return plan_packed(np.maximum(lengths, 1), budget=self.budget)

    def computed_tokens(self, batches: Plan, lengths: npt.NDArray[np.int64]) -> int:
        """Tokens that ``batches`` compute, those that fill a batch up included."""
        return sum(self._size(batch, int(lengths[batch].sum())) for batch in batches)

    def _size(self, rows: npt.NDArray[np.int64], tokens: int) -> int:
        """Tokens of a packed batch, filled up.

        After memory ran out batches are filled up less, and a single row is not filled up at all: its last chance.
        """
        if self._is_last_chance(rows):
            return tokens
        if self._on_cpu:
            return max(tokens, min(self.fits, _one_of_few(tokens, of=16 if self._prepares_slowly() else 32)))
        return max(tokens, self.fits) if self._is_filled else tokens

    def _filled(self, batch: PackedRows, rows: npt.NDArray[np.int64]) -> PackedRows:
        """The batch of these rows, of few shapes: for the first tokens alone the last layer has products of its own."""
        size, count = self._size(rows, len(batch.ids)), batch.rows
        if self._on_cpu and not self._is_last_chance(rows):
            count = _one_of_few(count, of=4, least=_LEAST_ROWS)
        return batch if (size, count) == (len(batch.ids), batch.rows) else fill(batch, tokens=size, rows=count)

    def _prepares_slowly(self) -> bool:
        """Whether products are in bf16 or in 8 bits on a CPU, where to prepare one takes longer than to compute it."""
        return self._bf16_attention is not None or torch.is_autocast_enabled("cpu")

    def _is_last_chance(self, rows: npt.NDArray[np.int64]) -> bool:
        return len(rows) == 1 and self.fits < self.budget

    def __call__(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Tensor:
        """(rows, classes) logits on the device, of chosen rows."""
        if (tokens.offsets[rows + 1] == tokens.offsets[rows]).any():
            return padded_logits(self._padded, tokens, rows)
        batch = self._filled(pack(tokens.ids, tokens.offsets, rows), rows)
        longest = self._longest if self._kernel else None
        where = on_device(
            batch, self._padded.device, kernel=self._kernel, longest=longest, bf16_attention=self._bf16_attention
        )
        with own_errors(self._padded):
            return self._packed(batch, where)[: len(rows)]

    def on_layer(self, call: Callable[[], None]) -> None:
        """Let ``call`` be called before each layer, because a batch may take long."""
        _before_layers(self.module, call)


def _one_of_few(number: int, *, of: int, least: int = 1) -> int:
    """``number``, rounded up to one of at most ``of`` in each octave, multiples of ``least``, both powers of 2.

    oneDNN prepares a product for each number of tokens anew. On a CPU with AMX products of a sixteenth more tokens take
    less time than that.
    """
    step = max(least, 1 << max(0, (number // of).bit_length() - 1))
    return -(-number // step) * step


def _before_layers(module: Any, call: Callable[[], None]) -> None:
    name = stack_name(module)
    for layer in module.get_submodule(name) if name else []:
        layer.register_forward_pre_hook(lambda *_: call())


def _fits_kernel(module: Any) -> bool:
    """Whether its device has the kernel for rows of different lengths, and the kernel takes heads of its width.

    Training computes in bfloat16 there, whatever the type of the parameters.
    """
    dtype = torch.bfloat16 if module.training else module.dtype
    width = module.config.hidden_size // module.config.num_attention_heads
    return has_kernel(module.device, dtype) and width % 8 == 0 and width <= 256
