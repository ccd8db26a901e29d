"""Rows some tokens of which are hidden → the logits of these tokens, by a masked language model.

As a classifier's head reads the first token of each row, this one's reads the hidden tokens alone: over a vocabulary of
30,000, logits of all tokens would be many times as many numbers as the model's own states.
"""

import dataclasses
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from engine.compute.attention import on_device
from engine.compute.backend import Forward
from engine.compute.forward import PackedForward, PaddedForward
from engine.compute.layers.fused_layer import FusedLayer
from engine.compute.packed_model import PACKING_ERRORS, first_tokens_alone, logits_differ, trial_rows
from engine.compute.packing import pack
from engine.errors import ModelError
from engine.models.batching import own_errors, padded_logits
from engine.tokens.masking import MaskedTokens
from engine.tokens.tokens import Tokens, tokens_of

_TRIED = 512  # tokens of the longest row that is tried
_SHAPES = 64  # hidden tokens are computed in multiples of this many, so that products of few shapes are prepared
_log = logging.getLogger(__name__)


class PackedMasked(PackedForward):
    """Rows one after the other, without padding between them.

    Args:
        module: the masked language model, on its device.
        is_fused: whether `FusedLayer` takes the place of its layers.
        budget: tokens a batch.
        longest: tokens of the longest row.
    """

    def __init__(self, module: Any, *, is_fused: bool, budget: int, longest: int) -> None:
        super().__init__(module, make_layers=_fused_layers if is_fused else None, budget=budget, longest=longest)

    def __call__(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Tensor:
        """(hidden, vocabulary) logits of the hidden tokens of chosen rows, none of which is empty."""
        assert isinstance(tokens, MaskedTokens), "it says which tokens are hidden"
        batch = self._filled(pack(tokens.ids, tokens.offsets, rows), rows)
        places = tokens.hidden(rows, batch.bounds[: len(rows)].astype(np.int64))
        where = dataclasses.replace(
            on_device(batch, self._padded.device, kernel=self._kernel, longest=self._longest if self._kernel else None),
            firsts=torch.from_numpy(_filled_up(places)).to(self._padded.device, non_blocking=True),
        )
        with own_errors(self._padded):
            return self._packed(batch, where)[: len(places), 0]


class PaddedMasked(PaddedForward):
    """Rows in rectangles, padded to the longest row of a batch, through the model's own layers.

    Args:
        module: the masked language model, on its device; what its encoder gives to its head is changed for good.
        budget: tokens a batch, padding included.
        longest: tokens of the longest row.
    """

    def __init__(self, module: Any, *, budget: int, longest: int) -> None:
        super().__init__(module, budget=budget, longest=longest)
        self._places: Tensor | None = None
        self.module.base_model.register_forward_hook(self._hidden_alone)

    def __call__(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Tensor:
        """(hidden, vocabulary) logits of the hidden tokens of chosen rows."""
        assert isinstance(tokens, MaskedTokens), "it says which tokens are hidden"
        places = tokens.hidden(rows, np.arange(len(rows)) * int(tokens.lengths[rows].max()))
        self._places = torch.from_numpy(places).to(self.module.device)
        return padded_logits(self.module, tokens, rows)[:, 0]

    def _hidden_alone(self, _encoder: nn.Module, _arguments: Any, output: Any) -> Any:
        """The part of the encoder's output that the head reads: (rows, length, hidden) → (hidden tokens, 1, hidden)."""
        output["last_hidden_state"] = output["last_hidden_state"].flatten(0, 1)[self._places][:, None]
        return output


def masked_forward(module: Any, device: torch.device, *, dtype: str, budget: int, longest: int) -> Forward:
    """The fastest way to the logits that transformers gives for each row alone, for training.

    Args:
        module: the masked language model, in training mode on ``device``; its ``batching`` is that of its encoder.
        device: that computes.
        dtype: of the products, ``fp32`` or ``bf16``.
        budget: tokens a batch.
        longest: tokens of the longest row.

    Raises:
        ModelError: no way gives them.
    """
    problems = []
    for name, make in _WAYS.items():
        if problem := _problem(module.eval(), make, longest):
            problems.append(f"{name}: {problem}")
            _log.debug("%s is not trained so: %s", type(module).__name__, problems[-1])
            continue
        forward = make(module.train(), budget=budget, longest=longest)
        if device.type == "cpu" or name == _PADDED or (dtype == "bf16" and not forward.has_attention_dropout):
            return forward  # on a GPU packed rows are slow without the kernel for them
    raise ModelError(
        f"{type(module).__name__} cannot be trained to find masked words out on {device} ({'; '.join(problems)}). Use "
        "another model, or leave --mlm out"
    )


def _problem(module: Any, make: "MakeMasked", longest: int) -> str | None:
    """How its logits differ from those of rows alone, in fp32 and evaluation mode; None if they are the same."""
    rows = trial_rows(module, min(longest, _TRIED))
    tokens, every = _every_third(tokens_of([row.tolist() for row in rows])), np.arange(len(rows))
    try:
        with torch.inference_mode():
            forward = make(module, budget=len(tokens.ids), longest=longest)
            parts = [every[part] for part in forward.plan_rows(tokens, every)]
            together = torch.cat([forward(tokens, part) for part in parts])
            alone = torch.cat([_alone(module, tokens, row) for part in parts for row in part.tolist()])
    except (*PACKING_ERRORS, ModelError) as error:
        return f"its layers do not take such rows ({error})"
    return logits_differ(alone, together)


def _every_third(tokens: Tokens) -> MaskedTokens:
    """``tokens``, of which every third one of each row counts as hidden."""
    places = [np.arange(0, length, 3) for length in tokens.lengths.tolist()]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(each) for each in places])])
    return MaskedTokens(
        ids=tokens.ids,
        offsets=tokens.offsets,
        truncated=tokens.truncated,
        places=np.concatenate(places),
        starts=starts,
    )


def _alone(module: Any, tokens: MaskedTokens, row: int) -> Tensor:
    """(hidden, vocabulary) logits of one row, by transformers."""
    places = torch.from_numpy(tokens.hidden(np.array([row]), np.zeros(1, np.int64)))
    return padded_logits(module, tokens, np.array([row]))[0, places.to(module.device)]


def _fused_layers(module: Any, layers: Sequence[Any]) -> list[nn.Module]:
    """What takes the place of ``layers``; an `engine.compute.packed_model.MakeLayers`."""
    made = [FusedLayer(layer, first_only=False, trained=bool(module.training)) for layer in layers]
    made[-1].register_forward_hook(first_tokens_alone, with_kwargs=True)
    return [*made]


def _filled_up(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.pad(places, (0, -len(places) % _SHAPES))


class MakeMasked(Protocol):
    """A masked language model → what computes its batches."""

    def __call__(self, module: Any, *, budget: int, longest: int) -> Forward: ...  # noqa: D102


_PADDED = "padded"
_WAYS: dict[str, MakeMasked] = {
    "fused": partial(PackedMasked, is_fused=True),
    "packed": partial(PackedMasked, is_fused=False),
    _PADDED: PaddedMasked,
}
"""The fastest first."""
