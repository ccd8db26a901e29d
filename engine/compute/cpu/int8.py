"""x · Wᵀ + b in 8 bits on a CPU: a scale for each output of the weight, found once, and one for each token, found anew.

The integers are exact, so a token's product does not depend on the others of its batch. oneDNN has fast kernels for
unsigned × signed alone (torch 2.13.0, EPYC with VNNI: 435 GOP/s a core, and 0.3 for signed × signed).
"""

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

_MOST = 127
_MIDDLE = 128  # of the unsigned numbers: it stands for 0
_SMALLEST = 1e-30


class Int8Weight(NamedTuple):
    """A weight in 8 bits.

    Attributes:
        values: int8, as oneDNN takes them fastest.
        scales: (outputs,) float32; value · scale is about the weight.
        zeros: (outputs,) int32, all 0.
    """

    values: Tensor
    scales: Tensor
    zeros: Tensor


def quantised(weight: Tensor) -> Int8Weight:
    """``weight``, (outputs, inputs) float32, in 8 bits."""
    weight = weight.detach()
    scales = weight.abs().amax(1).clamp_min(_SMALLEST) / _MOST
    values = (weight / scales[:, None]).round_().to(torch.int8)
    packed: Tensor = torch.ops.onednn.qlinear_prepack(values, None)
    return Int8Weight(packed, scales, torch.zeros(len(scales), dtype=torch.int32))


def quantised_product(x: Tensor, weight: Int8Weight, bias: Tensor | None) -> Tensor:
    """(tokens, outputs) float32 of ``x``, (tokens, inputs) float32; a token that is not finite gives nothing finite."""
    scales = torch.maximum(x.amax(1, keepdim=True), x.amin(1, keepdim=True).neg_()).clamp_min_(_SMALLEST).div_(_MOST)
    values = torch.div(x, scales).round_().to(torch.int8).view(torch.uint8).bitwise_xor_(_MIDDLE)
    result = _integer_product(values, weight)
    return result.mul_(scales) if bias is None else torch.addcmul(bias, result, scales, out=result)


def _integer_product(values: Tensor, weight: Int8Weight) -> Tensor:
    result: Tensor = torch.ops.onednn.qlinear_pointwise.default(
        values, 1.0, _MIDDLE, weight.values, weight.scales, weight.zeros, None, 1.0, 0, torch.float32, "none", [], ""
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
    except (AttributeError, RuntimeError, TypeError) as error:  # NotImplementedError is one
        return f"torch {torch.__version__} has no product in 8 bits for this processor ({error})"
    if not bool((found == 64 * (255 - _MIDDLE) * _MOST).all()):
        return "this processor has no VNNI, without which sums of products in 8 bits are cut off"
    return None
