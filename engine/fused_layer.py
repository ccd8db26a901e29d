"""A layer of a BERT-like encoder → the same layer for packed rows: one product for query, key and value.

For inference. The last layer of a classifier that reads the first token of a row computes nothing but keys and values
for the others.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation

from engine.attention import Rows, attend, attend_first
from engine.products import product, product_gelu, product_plus


class FusedLayer(nn.Module):
    """The layer, on (1, tokens, hidden).

    Args:
        layer: of transformers; it must have the parts of a `BertLayer`.
        first_only: whether its output is (rows, 1, hidden), of the first token of each row.

    Raises:
        AttributeError: it has other parts.
    """

    def __init__(self, layer: Any, *, first_only: bool) -> None:
        super().__init__()
        attention = layer.attention.self
        parts = [attention.query, attention.key, attention.value]
        self._heads = int(attention.num_attention_heads)
        self._first_only = first_only
        self._qkv = _stacked(parts)
        self._out, self._out_norm = layer.attention.output.dense, layer.attention.output.LayerNorm
        self._up, self._act = layer.intermediate.dense, layer.intermediate.intermediate_act_fn
        self._is_gelu = isinstance(self._act, GELUActivation)
        self._down, self._down_norm = layer.output.dense, layer.output.LayerNorm

    def forward(self, hidden: Tensor, *_: Any, packed_rows: Rows, **__: Any) -> Tensor:
        """(1, tokens, hidden) → the same, or (rows, 1, hidden)."""
        if self._first_only:
            return self._feed_forward(*self._first_tokens(hidden[0], packed_rows))[:, None]
        return self._feed_forward(*self._all_tokens(hidden[0], packed_rows))[None]

    def _all_tokens(self, hidden: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        """What the tokens get from each other, and what they had."""
        query, key, value = self._split(product(hidden, self._qkv.weight, self._qkv.bias), 3).unbind(1)
        return attend(query, key, value, rows).flatten(1), hidden

    def _first_tokens(self, hidden: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        width = hidden.shape[1]
        weight, bias = self._qkv.weight, self._qkv.bias
        firsts = hidden[rows.firsts]
        query = self._split(product(firsts, weight[:width], bias[:width]), 1)[:, 0]
        key, value = self._split(product(hidden, weight[width:], bias[width:]), 2).unbind(1)
        return attend_first(query, key, value, rows).flatten(1), firsts

    def _split(self, product: Tensor, parts: int) -> Tensor:
        """(tokens, parts * hidden) → (tokens, parts, heads, width)."""
        return product.view(len(product), parts, self._heads, -1)

    def _feed_forward(self, attended: Tensor, hidden: Tensor) -> Tensor:
        hidden = self._out_norm(product_plus(attended, self._out.weight, self._out.bias, hidden))
        if self._is_gelu:
            raised = product_gelu(hidden, self._up.weight, self._up.bias)
        else:
            raised = self._act(product(hidden, self._up.weight, self._up.bias))
        output: Tensor = self._down_norm(product_plus(raised, self._down.weight, self._down.bias, hidden))
        return output


def _stacked(parts: list[nn.Linear]) -> nn.Linear:
    """One product that gives the outputs of all ``parts``, one after the other."""
    # On no device, so that no random numbers are drawn: whoever counts on them is not disturbed.
    stacked = nn.Linear(parts[0].in_features, sum(part.out_features for part in parts), device="meta")
    with torch.no_grad():
        stacked.weight = nn.Parameter(torch.cat([part.weight for part in parts]))
        stacked.bias = nn.Parameter(torch.cat([part.bias for part in parts]))
    return stacked
