"""A model → the same model with some of its encoder layers, as loading it from disk will make it."""

import copy
import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from engine.errors import ModelError
from engine.models.heads import output_layer
from engine.models.loading.chosen_layers import check_layers

_ROWS, _LENGTH = 6, 12
_CONSTANT = 1.5e-3  # MiniLM without its last layers is at 0.0009, with them over 0.5; random weights are over 0.0017
_log = logging.getLogger(__name__)


def keep_layers(module: Any, layers: Sequence[int], *, source: str) -> Any:
    """A new model of ``layers`` alone, counted from 0.

    It is built from the shortened configuration and takes the weights by name, so that the trained model is the one
    that will be loaded again.

    Raises:
        ModelError: the model has no such layers, or a layer does not fit its new place.
    """
    count = module.config.num_hidden_layers
    stack = stack_name(module)
    if stack is None:
        raise ModelError(f"{source}: no single stack of its {count} layers was found; #layers= needs one")
    check_layers(layers, count, source=source)
    config = copy.deepcopy(module.config)
    config.num_hidden_layers = len(layers)
    if getattr(config, "layer_types", None) is not None:
        config.layer_types = [config.layer_types[layer] for layer in layers]
    shorter = type(module)(config)
    try:
        shorter.load_state_dict(_renumbered(module.state_dict(), stack, layers), strict=True)
    except RuntimeError:
        raise ModelError(
            f"{source}: its layers {','.join(map(str, layers))} do not fit the places 0 to {len(layers) - 1}; "
            "layers of this kind of model differ by their place"
        ) from None
    return shorter.eval()


def warn_if_constant(source: str, module: Any, tokenizer: Any) -> None:
    """Warn if what the head reads hardly depends on the text, as where layers that bring it together are left out."""
    if _is_untrained(module):
        return
    try:
        spread = _spread_of_states(module, tokenizer)
    except Exception:  # noqa: BLE001 - a model that cannot compute such rows is found out where it computes others
        return
    if spread is not None and spread < _CONSTANT:
        _log.warning(
            "%s: what its head reads is nearly the same for every text (it varies by %.1g of its size), so that it "
            "will learn slowly or not at all; choose other layers, such as the last ones, or a larger --learning-rate",
            source,
            spread,
        )


def _is_untrained(module: Any) -> bool:
    """Whether its weights are random: the scales of its norms are 1. Such a model varies little, and learns."""
    norms = [part for part in module.modules() if isinstance(part, nn.LayerNorm) and part.weight is not None]
    return bool(norms) and all(bool((norm.weight == 1).all()) for norm in norms)


def _spread_of_states(module: Any, tokenizer: Any) -> float | None:
    """How much the input of the output layer varies between random texts, as a share of its size; None if unknown."""
    layer = output_layer(module)
    if layer is None:
        return None
    states: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0].detach().float()))
    generator = torch.Generator().manual_seed(0)
    try:
        for _ in range(_ROWS):
            ids = torch.randint(len(tokenizer), (_LENGTH,), generator=generator).tolist()
            row = tokenizer(tokenizer.decode(ids), truncation=True, max_length=_LENGTH, return_tensors="pt")
            with torch.inference_mode():
                module(input_ids=row["input_ids"], attention_mask=row["attention_mask"])
    finally:
        hook.remove()
    read = torch.stack([state.reshape(-1, state.shape[-1])[-1] for state in states])
    return float(read.std(dim=0).norm() / read.norm(dim=1).mean().clamp_min(1e-12))


def shared_copy(module: Any) -> Any:
    """A copy of the modules that holds the same parameters and buffers."""
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})


def stack_name(module: Any) -> str | None:
    """The name of the list of its encoder layers; None if it has no such list, or several."""
    count = module.config.num_hidden_layers
    names = [name for name, part in module.named_modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    return str(names[0]) if len(names) == 1 else None


def _renumbered(state: dict[str, torch.Tensor], stack: str, layers: Sequence[int]) -> dict[str, torch.Tensor]:
    """Weights with the chosen layers under their new numbers, and without the others."""
    place = {layer: number for number, layer in enumerate(layers)}
    renumbered = {}
    for name, tensor in state.items():
        if not name.startswith(f"{stack}."):
            renumbered[name] = tensor
            continue
        layer, _, rest = name[len(stack) + 1 :].partition(".")
        if int(layer) in place:
            renumbered[f"{stack}.{place[int(layer)]}.{rest}"] = tensor
    return renumbered
