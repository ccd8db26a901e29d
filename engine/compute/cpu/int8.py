"""x · Wᵀ + b in 8 bits on a CPU: a scale for each output of the weight, found once, and a range for each token.

The integers are exact, so a token's product does not depend on the others of its batch. oneDNN has fast kernels for
unsigned × signed alone (torch 2.13.0, EPYC with VNNI: 435 GOP/s a core, and 0.3 for signed × signed), and FBGEMM finds
a token's range and rounds it in one pass, which was made for embeddings (0.6 ms for 2,048 × 1,536, and 2.8 in five).
"""

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

_MOST = 127
_SMALLEST = 1e-30
_RANGE_BYTES = 8  # behind a token's values: its step and its least value, float32 each


class Int8Weight(NamedTuple):
    """A weight in 8 bits.

    Attributes:
        values: int8, as oneDNN takes them fastest.
        scales: (outputs,) float32; value · scale is about the weight.
        zeros: (outputs,) int32, all 0.
        sums: (outputs,) float32, of value · scale over the inputs.
    """

    values: Tensor
    scales: Tensor
    zeros: Tensor
    sums: Tensor


def quantised(weight: Tensor) -> Int8Weight:
    """``weight``, (outputs, inputs) float32, in 8 bits."""
    weight = weight.detach()
    scales = weight.abs().amax(1).clamp_min_(_SMALLEST) / _MOST
    values = (weight / scales[:, None]).round_()
    packed: Tensor = torch.ops.onednn.qlinear_prepack(values.to(torch.int8), None)
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    return Int8Weight(packed, scales, zeros, values.sum(1).mul_(scales))


def quantised_product(x: Tensor, weight: Int8Weight, bias: Tensor | None) -> Tensor:
    """(tokens, outputs) float32 of ``x``, (tokens, inputs) float32; a token that is not finite gives nothing finite.

    A token's values are ``least + step · n`` with n from 0 to 255, so its product is ``step · (n · W) + least · sums``.
    """
    rounded: Tensor = torch.ops.quantized.embedding_bag_byte_prepack(x)
    ranges = rounded[:, -_RANGE_BYTES:].contiguous().view(torch.float32)
    step, least = ranges[:, :1], ranges[:, 1:] + 0 * x.amax(1, keepdim=True)  # FBGEMM passes over what is no number
    result = _integer_product(rounded[:, :-_RANGE_BYTES].contiguous(), weight)
    result = result.mul_(step) if bias is None else torch.addcmul(bias, result, step, out=result)
    return result.addcmul_(least, weight.sums)


def _integer_product(values: Tensor, weight: Int8Weight) -> Tensor:
    result: Tensor = torch.ops.onednn.qlinear_pointwise.default(
        values, 1.0, 0, weight.values, weight.scales, weight.zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return result


@cache
def int8_problem() -> str | None:
    """Why this machine cannot compute in 8 bits; None if it can.

    Without VNNI, sums of two products are cut off at 16 bits: the largest numbers show it.
    """
    largest = torch.full((1, 64), 255, dtype=torch.uint8)
    try:
        weight = quantised(torch.ones(16, 64))
        found: Any = _integer_product(largest, weight._replace(scales=torch.ones(16)))
        quantised_product(torch.ones(1, 64), weight, None)
    except (AttributeError, RuntimeError, TypeError) as error:  # NotImplementedError is one
        return f"torch {torch.__version__} has no product in 8 bits for this processor ({error})"
    if not bool((found == 64 * 255 * _MOST).all()):
        return "this processor has no VNNI, without which sums of products in 8 bits are cut off"
    return None
