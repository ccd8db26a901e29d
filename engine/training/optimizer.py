"""Parameters and their gradients → the next parameters: AdamW, a learning rate that rises and falls, clipping."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_STATE = ("exp_avg", "exp_avg_sq")


class FlatGradients:
    """All gradients of a module in one tensor, followed by a few sums.

    One all-reduce then adds up everything that ranks share in a step, and the norm is that of one tensor.

    Args:
        parameters: to train; their ``grad`` becomes a view.
        sums: how many sums follow the gradients.

    Attributes:
        everything: (gradients + sums,) float32.
        gradients: (gradients,) a view of these.
        sums: (sums,) a view of the rest.
    """

    def __init__(self, parameters: list[Tensor], *, sums: int) -> None:
        size = sum(parameter.numel() for parameter in parameters)
        self.everything = torch.zeros(size + sums, dtype=torch.float32, device=parameters[0].device)
        self.gradients, self.sums = self.everything[:size], self.everything[size:]
        begin = 0
        for parameter in parameters:
            view = self.gradients[begin : begin + parameter.numel()]
            parameter.grad = view.view_as(parameter)
            begin += parameter.numel()

    def zero(self) -> None:
        """Set all gradients and sums to zero."""
        self.everything.zero_()

    def clip(self, largest: float) -> float:
        """Scale the gradients down to a norm of at most ``largest``; returns the norm before."""
        norm = float(torch.linalg.vector_norm(self.gradients))
        if norm > largest:
            self.gradients.mul_(largest / norm)
        return norm


class Optimizer:
    """AdamW with bias correction; no decay on biases and norms, which are the parameters of one dimension.

    Args:
        module: its parameters are trained.
        learning_rate: the peak.
        weight_decay: of the parameters that decay.
        factor: of the learning rate, by step.
    """

    def __init__(
        self, module: Any, *, learning_rate: float, weight_decay: float, factor: Callable[[int], float]
    ) -> None:
        self._named = {name: one for name, one in module.named_parameters() if one.requires_grad}
        decayed = [parameter for parameter in self._named.values() if parameter.ndim > 1]
        plain = [parameter for parameter in self._named.values() if parameter.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self._adamw = torch.optim.AdamW(groups, lr=learning_rate, eps=1e-6, fused=True)
        self._peak = learning_rate
        self._factor = factor

    @property
    def parameters(self) -> list[Tensor]:
        """The trained parameters."""
        return list(self._named.values())

    def learning_rate(self, step: int) -> float:
        """The learning rate at ``step``, counted from 0."""
        return self._peak * self._factor(step)

    def step(self, step: int) -> None:
        """Move the parameters along their gradients."""
        for group in self._adamw.param_groups:
            group["lr"] = self.learning_rate(step)
        self._adamw.step()

    def state(self) -> dict[str, Tensor]:
        """AdamW's moments and step counts, as tensors by name."""
        state = {}
        for name, parameter in self._named.items():
            for key in (*_STATE, "step"):
                state[f"{key}/{name}"] = self._adamw.state[parameter][key]
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        for name, parameter in self._named.items():
            own = {key: state[f"{key}/{name}"].to(parameter.device, copy=True) for key in (*_STATE, "step")}
            self._adamw.state[parameter] = own


def linear_decay(steps: int, warmup: float) -> Callable[[int], float]:
    """Factor of the learning rate by step: up to 1 over the share ``warmup`` of ``steps``, then linearly down to 0."""
    rising = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / max(1, steps - rising))

    return factor
