"""A classifier → the same classifier for packed rows; and whether it is the same: a probe, not a list of names."""

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from engine.compute.attention import PACKED, Rows, rows_of
from engine.compute.fused_layer import FusedLayer
from engine.compute.linear import use_products
from engine.compute.packing import Packing, pack
from engine.models.layers import shared_copy, stack_name

COMPILED, FUSED, PLAIN, PADDED = "compiled", "fused", "packed", "padded"
"""Ways to compute: packed rows through our own layers, compiled or as they are; through the model's; padded rows."""

_TOLERANCE = 1e-5
_PROBED_LENGTHS = (61, 7, 7, 3)
_log = logging.getLogger(__name__)


class PackedModel:
    """Computes the logits of packed rows.

    Args:
        module: the classifier. It is not changed; its parameters are shared, where they are not stacked.
        fused: whether its layers are replaced by `FusedLayer`. Where ``module`` is in training mode, its parameters
            can be trained through them.
        compiled: whether these are compiled.

    Raises:
        LookupError: it has no stack of layers, or more than one.
        AttributeError: ``fused``, and its layers have not the parts of BERT's.

    Attributes:
        module: the copy that computes packed rows, and nothing else.
    """

    def __init__(self, module: Any, *, fused: bool, compiled: bool = False) -> None:
        name = stack_name(module)
        if name is None:
            raise LookupError("no single stack of layers")
        self.module = shared_copy(module)
        self.module.config._attn_implementation = PACKED  # where its attention cannot be replaced, the probe says so
        self._padding = padding_position(module)
        layers = self.module.get_submodule(name)
        if fused:
            for number, layer in enumerate(layers):
                first_only = number == len(layers) - 1
                layers[number] = FusedLayer(layer, first_only=first_only, compiled=compiled, trained=module.training)
        else:
            layers[-1].register_forward_hook(_first_tokens, with_kwargs=True)
        use_products(self.module)

    def __call__(self, packing: Packing, rows: Rows) -> Tensor:
        """(rows, classes) logits, also of rows that fill up the batch.

        Args:
            packing: the batch.
            rows: where its rows are, on the model's device.
        """
        ids, positions = torch.from_numpy(packing.ids)[None], torch.from_numpy(self._positions(packing))[None]
        logits: Tensor = self.module(
            input_ids=ids.to(rows.bounds.device, non_blocking=True),
            position_ids=positions.to(rows.bounds.device, non_blocking=True),
            packed_rows=rows,
        ).logits
        return logits

    def _positions(self, packing: Packing) -> npt.NDArray[np.int64]:
        """(tokens,) as the model numbers them. RoBERTa's leave out a padding token that a text has in its middle."""
        if self._padding is None:
            return packing.positions
        real = packing.ids != self._padding
        counted = np.cumsum(real)
        firsts = np.arange(len(real)) - packing.positions
        positions: npt.NDArray[np.int64] = self._padding + real * (counted - (counted - real)[firsts])
        return positions


def padding_position(module: Any) -> int | None:
    """The number of padding's position, behind which others begin; None where they begin at 0."""
    table = getattr(getattr(module.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return None if padding is None else int(padding)


def _first_tokens(_layer: nn.Module, _arguments: Any, keywords: dict[str, Any], output: Any) -> Any:
    """Of the last layer's output, what the head reads: (1, tokens, hidden) → (rows, 1, hidden)."""
    hidden = output if isinstance(output, Tensor) else output[0]
    firsts = hidden[0, keywords["packed_rows"].firsts][:, None]
    return firsts if isinstance(output, Tensor) else (firsts, *output[1:])


def choose_path(module: Any, *, longest: int, among: Iterable[str] = (FUSED, PLAIN)) -> str:
    """The first way that gives the logits of padded rows.

    Args:
        module: the classifier, in fp32 and evaluation mode.
        longest: rows of up to so many tokens are tried.
        among: ways to try, the fastest first. Padded rows always do.
    """
    for path in among:
        if _is_same(module, longest, fused=path == FUSED):
            return path
    return PADDED


def _is_same(module: Any, longest: int, *, fused: bool) -> bool:
    """Whether packed rows have the logits of rows alone: to 1e-5, and to a thousandth of what sets rows apart."""
    rows = _probe(module, longest)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(row) for row in rows])])
    packing = pack(np.concatenate(rows), offsets, np.arange(len(rows)))
    device = next(module.parameters()).device
    try:
        model = PackedModel(module, fused=fused)
        with torch.inference_mode():
            alone = torch.cat([module(input_ids=torch.from_numpy(row)[None].to(device)).logits for row in rows])
            packed = model(packing, rows_of(packing, device, kernel=False))
    except (LookupError, AttributeError, TypeError, ValueError, RuntimeError, IndexError) as error:
        _log.debug("%s cannot be computed %s: %s", type(module).__name__, "fused" if fused else "packed", error)
        return False
    difference = float((alone - packed).abs().max())
    spread = float((alone.max(0).values - alone.min(0).values).max())
    name = type(module).__name__
    _log.debug("%s: packed rows differ by %.1e, rows from each other by %.1e", name, difference, spread)
    return difference <= min(_TOLERANCE * max(1.0, float(alone.abs().max())), 1e-3 * spread)


def _probe(module: Any, longest: int) -> list[npt.NDArray[np.int64]]:
    """Rows of made-up tokens: the longest one and short ones, two of them equally long, one with padding in its middle.

    A text may name the padding token.
    """
    chance = np.random.default_rng(0)
    pad_id, size = module.config.pad_token_id, module.get_input_embeddings().num_embeddings
    tokens = np.delete(np.arange(size), [pad_id] if pad_id is not None and pad_id < size else [])
    rows = [chance.choice(tokens, min(length, longest)) for length in (longest, *_PROBED_LENGTHS)]
    if len(tokens) < size:
        rows[1][len(rows[1]) // 2] = pad_id
    return rows
