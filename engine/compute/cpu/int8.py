"""x · Wᵀ + b in 8 bits on a CPU: a scale for each output of the weight, and a range for the input.

The range of the input is known before (`StaticProduct`), or found for each token (`quantised_product`): so a token's
product does not depend on the others of its batch, and the integers are exact. With a range that is known before,
oneDNN computes all in one pass, GELU included; for one of each token its result is scaled afterwards, in two more.

oneDNN has fast kernels for unsigned × signed alone (torch 2.13.0, EPYC with VNNI: 435 GOP/s a core, and 0.3 for signed
× signed), and FBGEMM finds a token's range and rounds it in one pass, which was made for embeddings (0.6 ms for 2,048 ×
1,536, and 2.8 in five).
"""

import warnings
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

_MOST, _LEVELS = 127, 255
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


class Range(NamedTuple):
    """Values in 8 bits: one is about ``step · (n - zero)``, with n from 0 to 255."""

    step: float
    zero: int

    @classmethod
    def over(cls, least: float, largest: float) -> "Range":
        """The finest one of all values between these two, and 0."""
        low, high = min(least, 0.0), max(largest, 0.0)
        step = max((high - low) / _LEVELS, _SMALLEST)
        return cls(step, round(-low / step))


def quantised(weight: Tensor) -> Int8Weight:
    """``weight``, (outputs, inputs) float32, in 8 bits."""
    weight = weight.detach()
    scales = weight.abs().amax(1).clamp_min_(_SMALLEST) / _MOST
    values = (weight / scales[:, None]).round_()
    packed: Tensor = torch.ops.onednn.qlinear_prepack(values.to(torch.int8), None)
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    return Int8Weight(packed, scales, zeros, values.sum(1).mul_(scales))


class StaticProduct:
    """A product of inputs whose range is known before; what is outside of it is cut off.

    Args:
        weight: (outputs, inputs) float32.
        bias: (outputs,) float32.
        taken: the range of the inputs.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, taken: Range) -> None:
        self._weight = quantised(weight)
        self._bias = None if bias is None else bias.detach()
        self._taken = taken
        _silence_deprecation()

    def rounded(self, x: Tensor) -> Tensor:
        """(tokens, inputs) uint8 of ``x``, float32 and finite."""
        values = torch.quantize_per_tensor(x, self._taken.step, self._taken.zero, torch.quint8)
        plain = torch.empty(0, dtype=torch.uint8)  # the same memory: `int_repr` copies
        return plain.set_(values.untyped_storage(), 0, values.shape, values.stride())

    def __call__(self, rounded: Tensor, *, dtype: torch.dtype = torch.float32, gelu: bool = False) -> Tensor:
        """(tokens, outputs) in ``dtype``, float32 or bfloat16, of what `rounded` gave; ``gelu`` of it if asked for."""
        return _integer_product(rounded, self._weight, taken=self._taken, bias=self._bias, dtype=dtype, gelu=gelu)


def quantised_product(x: Tensor, weight: Int8Weight, bias: Tensor) -> Tensor:
    """(tokens, outputs) float32 of ``x``, (tokens, inputs) float32 and finite, with a range for each token.

    A token's values are ``least + step · n`` with n from 0 to 255, so its product is ``step · (n · W) + least · sums``.
    """
    rounded: Tensor = torch.ops.quantized.embedding_bag_byte_prepack(x)
    ranges = rounded[:, -_RANGE_BYTES:].contiguous().view(torch.float32)
    step, least = ranges[:, :1], ranges[:, 1:]
    result = _integer_product(rounded[:, :-_RANGE_BYTES].contiguous(), weight)
    return torch.addcmul(bias, result, step, out=result).addcmul_(least, weight.sums)


_WHOLE = Range(1.0, 0)  # of integers


def _integer_product(
    values: Tensor,
    weight: Int8Weight,
    *,
    taken: Range = _WHOLE,
    bias: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    gelu: bool = False,
) -> Tensor:
    after: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")
    result: Tensor = torch.ops.onednn.qlinear_pointwise.default(
        values, *taken, weight.values, weight.scales, weight.zeros, bias, *_WHOLE, dtype, *after
    )
    return result


@cache
def _silence_deprecation() -> None:
    """Have torch say, unheard, that `quantize_per_tensor` will go some day. It says so once.

    Without it, rounding takes three passes and 1.8 times as long (2,048 × 384 values, Xeon with AMX).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.quantize_per_tensor(torch.zeros(1), *_WHOLE, torch.quint8)


@cache
def int8_problem() -> str | None:
    """Why this machine cannot compute in 8 bits; None if it can.

    Without VNNI, sums of two products are cut off at 16 bits: the largest numbers show it.
    """
    largest = torch.full((1, 64), 255, dtype=torch.uint8)
    try:
        ones, none = torch.ones(16, 64), torch.zeros(16)
        found: Any = _integer_product(largest, quantised(ones)._replace(scales=torch.ones(16)))
        quantised_product(torch.ones(1, 64), quantised(ones), none)
        static = StaticProduct(ones, none, _WHOLE)
        static(static.rounded(torch.ones(1, 64)), gelu=True)
    except (AttributeError, RuntimeError, TypeError) as error:  # NotImplementedError is one
        return f"torch {torch.__version__} has no product in 8 bits for this processor ({error})"
    if not bool((found == 64 * 255 * _MOST).all()):
        return "this processor has no VNNI, without which sums of products in 8 bits are cut off"
    return None
