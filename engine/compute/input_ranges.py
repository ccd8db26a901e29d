"""What the inputs of a model's products look like, channel by channel, found from made-up tokens.

The rows are of tokens from the whole vocabulary, with what the tokenizer puts around a text. So the ranges depend on
the model alone: on one kind of processor, each process and each later run rounds alike; a GPU may find other last bits.
`benchmarks/LOG.md` has what they cost beside those of real texts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from engine.compute.cpu.int8 import Range
from engine.compute.device import limited_threads
from engine.models.batching import batching_of, padded_logits, vocabulary_size
from engine.models.padding import padding_position
from engine.tokens.backends import offsets_of
from engine.tokens.tokens import Tokens, put_frame

LENGTHS = {512: 2, 256: 2, 128: 2, 64: 4}
"""Rows by their tokens, as far as the model takes them: 2,048 tokens, at all positions that texts usually have."""
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


_known: Any = WeakTensorKeyDictionary()  # by a model's first parameter: the version of all, and the ranges


def input_ranges(module: Any, products: Sequence[nn.Module]) -> list[ChannelRange]:
    """Those of the inputs of ``products``, parts of ``module``, a classifier on its device and in its dtype.

    They are found once, for all copies that share the model's parameters, until those change.
    """
    first, version = next(module.parameters()), sum(parameter._version for parameter in module.parameters())
    held, ranges = _known.get(first, (None, []))
    if held != version or len(ranges) != len(products):
        ranges = _found(module, products)
        _known[first] = version, ranges
    return list(ranges)


def _found(module: Any, products: Sequence[nn.Module]) -> list[ChannelRange]:
    """The ranges, on a CPU by one thread: with more, sums would differ in their last bits."""
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
            for length in np.unique(tokens.lengths):  # without padding, which would be seen too
                padded_logits(module, tokens, np.flatnonzero(tokens.lengths == length))
    finally:
        for hook in hooks:
            hook.remove()
    assert all(each is not None for each in seen), "every product takes part in a forward pass"
    return [each for each in seen if each is not None]


def _made_up(module: Any) -> Tokens:
    """Rows of `LENGTHS`; none of their tokens is padding."""
    padding = [token for token in (batching_of(module).pad_id, padding_position(module)) if token is not None]
    known = np.setdiff1d(np.arange(vocabulary_size(module)), padding)
    longest = _most_positions(module)
    lengths = [min(length, longest) for length, rows in LENGTHS.items() for _ in range(rows)]
    offsets = offsets_of(lengths)
    ids = np.random.default_rng(0).choice(known, offsets[-1]).astype(np.uint32)
    put_frame(ids, offsets, batching_of(module).frame)
    return Tokens(ids=ids, offsets=offsets, truncated=np.zeros(len(lengths), np.bool_))


def _most_positions(module: Any) -> int:
    """Tokens of the longest row that the model takes, at most those of the longest of `LENGTHS`."""
    table, longest = getattr(module.config, "max_position_embeddings", None), max(LENGTHS)
    if table is None:
        return longest
    padding = padding_position(module)
    return max(1, min(longest, int(table) - (0 if padding is None else padding + 1)))
