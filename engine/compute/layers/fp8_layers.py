"""Layers of a BERT-like encoder → the same for packed rows with products in 8 bits of floating point.

What is between the products is in the module's own dtype, as in `engine.compute.layers.fused_layer`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.compute.input_ranges import input_ranges
from engine.compute.layers.fp8_product import MULTIPLE, fp8_weight
from engine.compute.layers.fused_layer import FusedLayer, LayerWeights, layer_weights
from engine.compute.layers.linear import Weight
from engine.errors import ModelError
from engine.models.layers import stack_name


def fp8_layers(module: Any, layers: Sequence[Any], *, compiled: bool = False) -> list[nn.Module]:
    """What takes the place of ``layers``; an `engine.compute.packed_model.MakeLayers`.

    Raises:
        ModelError: what is between them does not fit into fp16.
    """
    own = [products_of(layer) for layer in module.get_submodule(stack_name(module))]
    seen = iter(input_ranges(module, [product for products in own for product in products]))
    made: list[nn.Module] = []
    for number, (layer, products) in enumerate(zip(layers, own, strict=True)):
        first_only, largest = number == len(layers) - 1, [float(next(seen).size().max()) for _ in products]
        if not all(map(math.isfinite, largest)):
            raise ModelError(
                f"{type(module).__name__}: numbers between its layers are too large for fp16, which --dtype fp8 has "
                "there; name another"
            )
        with torch.no_grad():
            weights = _rounded(layer_weights(layer, first_only=first_only), largest)
        made.append(FusedLayer(layer, first_only=first_only, compiled=compiled, weights=weights))
    return made


def products_of(layer: Any) -> list[nn.Linear]:
    """Those of a layer that have inputs of their own, in the order in which they are computed."""
    return [layer.attention.self.key, layer.attention.output.dense, layer.intermediate.dense, layer.output.dense]


def odd_product(module: Any) -> str | None:
    """A product of ``module`` of which a GPU cannot take the sizes, in words; None if there is none.

    Raises:
        AttributeError: its layers have other parts than BERT's.
    """
    for layer in module.get_submodule(stack_name(module)):
        for product in products_of(layer):
            outputs, inputs = product.weight.shape
            if outputs % MULTIPLE or inputs % MULTIPLE:
                return (
                    f"it has a product of {inputs} inputs and {outputs} outputs, which are no multiples of {MULTIPLE}"
                )
    return None


def _rounded(weights: LayerWeights[Tensor], largest: Sequence[float]) -> LayerWeights[Weight]:
    """``weights`` in 8 bits, by the ``largest`` inputs of `products_of`."""
    hidden, attended, between, raised = largest
    products = {
        "query": None if weights.query is None else fp8_weight(weights.query, hidden),
        "mixed": fp8_weight(weights.mixed, hidden),
        "out": fp8_weight(weights.out, attended),
        "up": fp8_weight(weights.up, between),
        "down": fp8_weight(weights.down, raised),
    }
    return LayerWeights(**(weights._asdict() | products))
