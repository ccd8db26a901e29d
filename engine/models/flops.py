"""A model's configuration → the floating-point operations of one row."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from engine.models.layers import stack_name


def model_flops(module: Any, lengths: npt.NDArray[np.int64], *, first_only: bool) -> float:
    """Floating-point operations of the encoder layers for rows of these lengths; a product and a sum are two.

    Matrix products and attention, nothing else: 2 for each weight and token, 4 · L² · hidden for a row of L tokens.

    Args:
        module: the classifier.
        lengths: (rows,) tokens.
        first_only: whether the last layer gives the other tokens nothing but keys and values.
    """
    name, hidden = stack_name(module), float(module.config.hidden_size)
    layers = list(module.get_submodule(name)) if name else [module]
    weights = [sum(part.weight.numel() for part in layer.modules() if isinstance(part, nn.Linear)) for layer in layers]
    tokens, squares = float(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum())
    if not first_only:
        return 2 * sum(weights) * tokens + 4 * hidden * squares * int(module.config.num_hidden_layers)
    keys_and_values = 2 * hidden**2
    last = 2 * keys_and_values * tokens + 2 * (weights[-1] - keys_and_values) * len(lengths) + 4 * hidden * tokens
    return 2 * sum(weights[:-1]) * tokens + 4 * hidden * squares * (len(layers) - 1) + last
