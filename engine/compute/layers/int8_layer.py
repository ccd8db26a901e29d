"""A layer of a BERT-like encoder → the same layer for packed rows with products in 8 bits, on a CPU.

The ranges of three inputs are known before, see `engine.compute.input_ranges`: oneDNN's result needs no
more passes then. Two of them, behind a norm, have channels with outliers, and are made even
(`engine.compute.cpu.smoothing`). The input of the last product, behind GELU, has outliers in single tokens: each of
them gets a range of its own. Sums and norms are in fp32, attention is in bf16 where the processor has that.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from engine.compute.attention import DeviceRows, attend, attend_first
from engine.compute.cpu.bf16_attention import attend_in_bf16
from engine.compute.cpu.int8 import StaticProduct, quantised, quantised_product
from engine.compute.cpu.smoothing import smoothing_factors
from engine.compute.input_ranges import ChannelRange, input_ranges
from engine.compute.layers.fused_layer import LayerWeights, layer_form, layer_weights, split_heads
from engine.models.layers import stack_name


class LayerRanges(NamedTuple):
    """Those of the inputs of a layer's products.

    Attributes:
        hidden: of query, key and value.
        attended: of the attention's output.
        between: of the first product of the feed-forward part.
    """

    hidden: ChannelRange
    attended: ChannelRange
    between: ChannelRange


class Int8Layer(nn.Module):
    """The layer, on (1, tokens, hidden) float32.

    Args:
        layer: of transformers; it must have the parts of a `BertLayer`.
        ranges: of its inputs.
        first_only: whether its output is (rows, 1, hidden), of the first token of each row.

    Raises:
        AttributeError: it has other parts.
    """

    def __init__(self, layer: Any, ranges: LayerRanges, *, first_only: bool) -> None:
        super().__init__()
        self._first_only = first_only
        self._form = layer_form(layer)
        with torch.no_grad():
            self._prepare(layer_weights(layer, first_only=first_only), ranges)

    def _prepare(self, weights: LayerWeights[Tensor], ranges: LayerRanges) -> None:
        seen = weights.mixed if weights.query is None else torch.cat([weights.query, weights.mixed])
        even, between = _factors(ranges.hidden, seen), _factors(ranges.between, weights.up)
        hidden = ranges.hidden.divided(even).whole()
        self._even, self._between = 1 / even, between
        self._query = None
        if weights.query is not None:
            self._query = StaticProduct(weights.query * even, weights.query_bias, hidden)
        self._mixed = StaticProduct(weights.mixed * even, weights.mixed_bias, hidden)
        self._out = StaticProduct(weights.out, weights.out_bias, ranges.attended.whole())
        self._up = StaticProduct(weights.up * between, weights.up_bias, ranges.between.divided(between).whole())
        self._down, self._down_bias = quantised(weights.down), weights.down_bias.detach()
        self._out_norm = (weights.out_norm / between, weights.out_norm_bias / between)
        self._down_norm = (weights.down_norm.detach(), weights.down_norm_bias.detach())

    def forward(self, hidden: Tensor, *_: Any, packed_rows: DeviceRows, **__: Any) -> Tensor:
        """(1, tokens, hidden) → the same, or (rows, 1, hidden)."""
        if self._first_only:
            return self._first_tokens(hidden[0], packed_rows)[:, None]
        return self._all_tokens(hidden[0], packed_rows)[None]

    def _all_tokens(self, hidden: Tensor, rows: DeviceRows) -> Tensor:
        """(tokens, hidden) → (tokens, hidden)."""
        rounded = self._mixed.rounded(hidden * self._even)
        if rows.bf16_attention and rows.rectangles:
            mixed = split_heads(self._mixed(rounded, dtype=torch.bfloat16), 3, self._form)
            attended = attend_in_bf16(mixed, rows.rectangles, rows.bf16_attention).float()
        else:
            query, key, value = split_heads(self._mixed(rounded), 3, self._form).unbind(1)
            attended = attend(query, key, value, rows)
        return self._feed_forward(attended.flatten(1), hidden)

    def _first_tokens(self, hidden: Tensor, rows: DeviceRows) -> Tensor:
        """(tokens, hidden) → (rows, hidden), of the first token of each row."""
        assert self._query is not None, "the layer has a product of its own for the query"
        rounded = self._mixed.rounded(hidden * self._even)
        query = split_heads(self._query(rounded[rows.firsts]), 1, self._form)[:, 0]
        key, value = split_heads(self._mixed(rounded), 2, self._form).unbind(1)
        return self._feed_forward(attend_first(query, key, value, rows).flatten(1), hidden[rows.firsts])

    def _feed_forward(self, attended: Tensor, hidden: Tensor) -> Tensor:
        mixed = self._out(self._out.rounded(attended)).add_(hidden)
        even = layer_norm(mixed, mixed.shape[1:], *self._out_norm, self._form.eps)
        output = quantised_product(self._raised(even), self._down, self._down_bias).addcmul_(even, self._between)
        return layer_norm(output, output.shape[1:], *self._down_norm, self._form.eps)

    def _raised(self, even: Tensor) -> Tensor:
        """(tokens, hidden) → (tokens, intermediate)."""
        rounded = self._up.rounded(even)
        return self._up(rounded, gelu=True) if self._form.act is None else self._form.act(self._up(rounded))


def _factors(seen: ChannelRange, weight: Tensor) -> Tensor:
    """(inputs,) what to divide the channels of an input by, where it meets ``weight``, (outputs, inputs)."""
    return torch.from_numpy(smoothing_factors(seen.size().numpy(), weight.abs().amax(0).numpy()))


def int8_layers(module: Any, layers: Sequence[Any]) -> list[nn.Module]:
    """What takes the place of ``layers``; an `engine.compute.packed_model.MakeLayers`."""
    own: Any = module.get_submodule(stack_name(module))
    inputs = [
        part
        for layer in own
        for part in (layer.attention.self.key, layer.attention.output.dense, layer.intermediate.dense)
    ]
    seen = input_ranges(module, inputs)
    ranges = [LayerRanges(*part) for part in zip(seen[::3], seen[1::3], seen[2::3], strict=True)]
    last = len(layers) - 1
    pairs = zip(layers, ranges, strict=True)
    return [Int8Layer(layer, found, first_only=number == last) for number, (layer, found) in enumerate(pairs)]
