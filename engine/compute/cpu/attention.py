"""Attention in bf16 on a CPU that has it: two products and a softmax, for as many rows at once as a cache holds.

torch's own attention computes its scores in fp32 there, and takes 1.3 to 1.5 times as long (torch 2.13.0, EPYC with
AVX512-BF16, one thread, heads of 32 and 64, rows of 64 to 300 tokens).
"""

import torch
from torch import Tensor

from engine.compute.cpu.processor import has_bf16

_SCORES = 1 << 20
"""Scores that are computed at once, two bytes each."""


def has_products(value: Tensor) -> bool:
    """Whether `attend_equal` is for ``value``: in bf16, without gradients, on a CPU with such products."""
    return value.device.type == "cpu" and value.dtype == torch.bfloat16 and not torch.is_grad_enabled() and has_bf16()


def attend_equal(query: Tensor, key: Tensor, value: Tensor, *, scale: float | None = None) -> Tensor:
    """Every token attends to the tokens of its row.

    Args:
        query: (rows, heads, length, width) bf16.
        key: like ``query``.
        value: like ``query``.
        scale: of the products; 1 / √width if None.

    Returns:
        (rows, heads, length, width) bf16.
    """
    rows, heads, length, width = value.shape
    scale = width**-0.5 if scale is None else scale
    result = value.new_empty(rows, length, heads, width).transpose(1, 2)
    several = max(1, _SCORES // (heads * length**2))
    for first in range(0, rows, several):
        some = slice(first, first + several)
        queries, keys, values = (tensor[some].reshape(-1, length, width) for tensor in (query, key, value))
        weights = torch.bmm(queries * scale, keys.transpose(1, 2)).softmax(-1)
        result[some] = torch.bmm(weights, values).view(-1, heads, length, width)
    return result
