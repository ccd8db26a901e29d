"""What the inputs of a model's products look like, channel by channel, found from made-up tokens.

The rows are of tokens from the whole vocabulary, with what the tokenizer puts around a text. So the ranges are a
function of the model alone, and each process, and each later run, rounds alike. They are as good as those of real texts
(`benchmarks/LOG.md`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engine.compute.cpu.int8 import Range
from engine.compute.device import limited_threads
from engine.models.batching import batching_of, padded_logits, vocabulary_size
from engine.tokens.tokens import Tokens, put_frame

ROWS, LENGTH = 32, 64
_MARGIN = 1.25
"""How much wider a range is than what was seen: a wider one is coarser, and a text may have larger values."""


class ChannelRange(NamedTuple):
    """The least and the largest value of each channel of an input; (inputs,) float32."""

    least: Tensor
    largest: Tensor

    def joined(self, other: "ChannelRange") -> "ChannelRange":
        """The least one that holds both."""
        return ChannelRange(torch.minimum(self.least, other.least), torch.maximum(self.largest, other.largest))

    def divided(self, factors: Tensor) -> "ChannelRange":
        """That of the input divided by ``factors``, (inputs,), all above 0."""
        return ChannelRange(self.least / factors, self.largest / factors)

    def whole(self) -> Range:
        """One for all channels, with a margin."""
        return Range.over(_MARGIN * float(self.least.min()), _MARGIN * float(self.largest.max()))

    def size(self) -> Tensor:
        """(inputs,) the largest absolute value."""
        return torch.maximum(self.least.abs(), self.largest.abs())


def input_ranges(module: Any, products: Sequence[nn.Module]) -> list[ChannelRange]:
    """Those of the inputs of ``products``, parts of ``module``, a classifier in fp32 on a CPU.

    It computes with one thread: with more, sums would differ in their last bits.
    """
    seen: list[ChannelRange | None] = [None] * len(products)

    def see(number: int, values: Tensor) -> None:
        flat = values.reshape(-1, values.shape[-1])
        here, before = ChannelRange(flat.amin(0), flat.amax(0)), seen[number]
        seen[number] = here if before is None else before.joined(here)

    hooks = [
        product.register_forward_pre_hook(lambda _, given, number=number: see(number, given[0]))
        for number, product in enumerate(products)
    ]
    tokens = _made_up(module)
    try:
        with torch.inference_mode(), limited_threads(torch.device("cpu"), 1):
            padded_logits(module, tokens, np.arange(len(tokens.lengths)))
    finally:
        for hook in hooks:
            hook.remove()
    assert all(each is not None for each in seen), "every product takes part in a forward pass"
    return [each for each in seen if each is not None]


def _made_up(module: Any) -> Tokens:
    """`ROWS` rows of `LENGTH` tokens, or as long as the model takes; none of them is padding."""
    size, padding = vocabulary_size(module), batching_of(module).pad_id
    table = getattr(module.config, "max_position_embeddings", None) or LENGTH
    length = max(1, min(LENGTH, table - 2 if table > 2 else table))
    known = np.setdiff1d(np.arange(size), [] if padding is None else [padding])
    ids = np.random.default_rng(0).choice(known, ROWS * length).astype(np.uint32)
    offsets = np.arange(0, len(ids) + 1, length)
    put_frame(ids, offsets, batching_of(module).frame)
    return Tokens(ids=ids, offsets=offsets, truncated=np.zeros(ROWS, np.bool_))
