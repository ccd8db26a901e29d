"""x · Wᵀ + b, its gradients, and GELU of it: by oneDNN on a CPU, otherwise by torch's own choice.

In fp32 that choice is MKL, which takes 2.3 times as long on an AMD EPYC (112 against 255 GFLOP/s a core, torch 2.13.0).
In bf16 it is oneDNN, which knows GELU, too; torch's own GELU makes a product take 1.07 times as long there.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compute.cpu.memory import keep_few_products
from engine.compute.cpu.processor import has_bf16
from engine.compute.layers.fp8_product import Fp8Weight, fp8_product


def _find_pointwise() -> Any:
    """The product of oneDNN; None if torch is built without it, or without a kernel for this processor."""
    try:
        operator, one = torch.ops.mkldnn._linear_pointwise, torch.ones(1, 1)
        with torch.inference_mode():
            operator.default(one, torch.ops.mkldnn._reorder_linear_weight.default(one, None), None, "none", [], "")
    except (AttributeError, RuntimeError):  # NotImplementedError is one
        return None
    return operator


keep_few_products()
_pointwise = _find_pointwise()
LEAST_TRAINED = 65_536
"""Elements of the smallest weight that is trained through oneDNN, which prepares for each number of tokens anew: a
forward and a backward pass of 64 → 256 takes 5.4 ms of changing numbers so, and 1.8 ms by torch's choice."""


Weight = Tensor | Fp8Weight


def packed(weight: Tensor) -> Tensor:
    """``weight``, (outputs, inputs), as the products of this module take it fastest: a copy, or itself."""
    weight = weight.detach()
    if not _has_onednn(weight):
        return weight
    reordered: Tensor = torch.ops.mkldnn._reorder_linear_weight.default(weight, None)
    return reordered


def product(x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
    """(tokens, outputs) of ``x``, (tokens, inputs), and ``weight``, (outputs, inputs)."""
    if isinstance(weight, Fp8Weight):
        return fp8_product(x, weight, bias)
    if not _has_onednn(x) or torch.is_autocast_enabled("cpu"):  # autocast knows torch's own products alone
        return functional.linear(x, weight, bias)
    if torch.is_grad_enabled() and weight.numel() < LEAST_TRAINED:
        return functional.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return _product(x, weight, bias)
    trained: Tensor = _Trained.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return trained


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    result: Tensor = _pointwise.default(x, weight, bias, "none", [], "")
    return result


class _Trained(torch.autograd.Function):
    """`_product` with gradients, which are products too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        (gradient,) = gradients
        rows = gradient.reshape(-1, gradient.shape[-1])
        of_x = _product(gradient, weight.t(), None)
        of_weight = _product(rows.t(), x.reshape(-1, x.shape[-1]).t(), None)
        return of_x, of_weight, rows.sum(0) if ctx.has_bias else None


def product_gelu(x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
    """GELU, by the error function, of `product`."""
    if isinstance(weight, Fp8Weight) or not _has_onednn(x) or torch.is_grad_enabled():
        return functional.gelu(product(x, weight, bias))
    result: Tensor = _pointwise.default(x, weight, bias, "gelu", [], "none")
    return result


def _has_onednn(tensor: Tensor) -> bool:
    if _pointwise is None or tensor.device.type != "cpu":
        return False
    return tensor.dtype == torch.float32 or (
        tensor.dtype == torch.bfloat16 and not torch.is_grad_enabled() and has_bf16()
    )


class Product(nn.Module):
    """The twin of a linear layer.

    Args:
        linear: the layer; its parameters are shared.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) → (…, outputs)."""
        return product(x, self.weight, self.bias)


def use_products(module: Any) -> None:
    """Replace every linear layer of ``module`` by a `Product`."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                setattr(parent, name, Product(child))
