"""x · Wᵀ + b in 8 bits of floating point (e4m3): one scale for the weight, and one of the input that is known before.

The input's is a power of two: dividing by it is exact, and the last bits of a range that was seen seldom change it.
Bias and both scales are part of the product; rounding is a pass of its own, which compiled layers join to what comes
before it. A GPU has the product since Ada. A CPU multiplies the same rounded numbers in fp32: torch has one of 8 bits
there, too, a thousand times as slow.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

E4M3 = torch.float8_e4m3fn
MULTIPLE = 16
"""Of which a GPU takes inputs and outputs."""
_MOST = 448.0  # the largest number
_MARGIN = 4.0
"""How much more than what was seen the input may be before it is cut off: it costs no digits but of small numbers."""
_SMALLEST = 1e-30
_LEAST_STEP = 2.0**-24  # which fp16 has: a GPU divides in the input's dtype


class Fp8Weight(NamedTuple):
    """A weight in 8 bits of floating point.

    Attributes:
        values: (outputs, inputs) float8_e4m3fn.
        scale: () float32; value · scale is about the weight.
        taken: () float32, of the input, a power of two.
    """

    values: Tensor
    scale: Tensor
    taken: Tensor


def fp8_weight(weight: Tensor, largest: float) -> Fp8Weight:
    """``weight``, (outputs, inputs), for an input whose ``largest`` size that was seen is this."""
    weight = weight.detach().float()
    scale = weight.abs().amax().clamp_min_(_SMALLEST) / _MOST
    step = max(_LEAST_STEP, 2.0 ** math.ceil(math.log2(max(largest, _SMALLEST) * _MARGIN / _MOST)))
    return Fp8Weight((weight / scale).to(E4M3), scale, torch.tensor(step, device=weight.device))


def fp8_rounded(x: Tensor, weight: Fp8Weight) -> Tensor:
    """(tokens, inputs) float8_e4m3fn of ``x``; what is too large is cut off, and what is no number stays none."""
    return (x / weight.taken).clamp(-_MOST, _MOST).to(E4M3)


def fp8_product(x: Tensor, weight: Fp8Weight, bias: Tensor | None) -> Tensor:
    """(tokens, outputs) of ``x``, (tokens, inputs), in its dtype, float16 or bfloat16."""
    return multiplied(fp8_rounded(x, weight), weight, bias, dtype=x.dtype)


def multiplied(rounded: Tensor, weight: Fp8Weight, bias: Tensor | None, *, dtype: torch.dtype) -> Tensor:
    """(tokens, outputs) in ``dtype`` of what `fp8_rounded` gave."""
    compute = multiplied_in_fp32 if rounded.device.type == "cpu" else multiplied_in_fp8
    return compute(rounded, weight, bias, dtype=dtype)


def multiplied_in_fp32(rounded: Tensor, weight: Fp8Weight, bias: Tensor | None, *, dtype: torch.dtype) -> Tensor:
    """`multiplied`, on a CPU."""
    taken, plain = rounded.float() * weight.taken, weight.values.float() * weight.scale
    return functional.linear(taken, plain, None if bias is None else bias.float()).to(dtype)


def multiplied_in_fp8(rounded: Tensor, weight: Fp8Weight, bias: Tensor | None, *, dtype: torch.dtype) -> Tensor:
    """`multiplied`, on a GPU."""
    result: Tensor = torch._scaled_mm(
        rounded,
        weight.values.t(),
        scale_a=weight.taken,
        scale_b=weight.scale,
        bias=bias,
        out_dtype=dtype,
        use_fast_accum=True,
    )
    return result


@cache
def fp8_problem(device: torch.device) -> str | None:
    """Why ``device`` cannot compute in 8 bits of floating point; None if it can.

    Raises:
        torch.OutOfMemoryError: it has no memory left.
    """
    ones: Any = torch.ones(MULTIPLE, MULTIPLE, device=device, dtype=torch.float16)
    try:
        found = fp8_product(ones, fp8_weight(ones, 1.0), ones[0])
    except torch.OutOfMemoryError:
        raise
    except (AttributeError, RuntimeError, TypeError) as error:  # NotImplementedError is one
        first = str(error).split("\n")[0]
        return f"torch {torch.__version__} has no product in 8 bits of floating point for {device} ({first})"
    right = bool((found == MULTIPLE + 1).all())
    return None if right else f"products in 8 bits of floating point come out wrong on {device}"
