"""A classifier → the same classifier for packed rows, and a probe that compares the two: no list of names."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from engine.compute.attention import ATTENTION, DeviceRows, on_device
from engine.compute.layers.fused_layer import fused_layers
from engine.compute.layers.linear import use_products
from engine.compute.packing import PackedRows, pack
from engine.models.batching import batching_of, vocabulary_size
from engine.models.layers import shared_copy, stack_name
from engine.models.padding import padding_position
from engine.models.probe import settled

_TOLERANCE = 1e-5
_PROBED_LENGTHS = (61, 7, 7, 3)
PACKING_ERRORS = (LookupError, AttributeError, TypeError, ValueError, RuntimeError, ArithmeticError, AssertionError)
"""What a model's own code may raise on packed rows."""

_log = logging.getLogger(__name__)


MakeLayers = Callable[[Any, Sequence[Any]], list[nn.Module]]
"""A classifier, and the layers of its twin that computes packed rows → what takes their place."""


class _EmbeddedError(Exception):
    """Packed tokens came as far as the first layer."""


class PackedModel:
    """Computes the logits of packed rows.

    Args:
        module: the classifier. It is not changed; its parameters are shared, unless a fused layer stacks them.
        make_layers: makes what takes the place of its layers, the last of which gives the first token of each row
            alone; they stay the model's own if None. If ``module`` is in training mode, its parameters can be trained
            through `fused_layers`.

    Raises:
        LookupError: it has no stack of layers, or more than one.
        AttributeError: its layers lack parts of BERT's, which ``make_layers`` needs.

    Attributes:
        module: the copy, which computes packed rows only.
    """

    def __init__(self, module: Any, *, make_layers: MakeLayers | None = None) -> None:
        name = stack_name(module)
        if name is None:
            raise LookupError("no single stack of layers")
        self.module = shared_copy(module)
        self.module.config._attn_implementation = ATTENTION  # if its attention cannot be replaced, the probe fails
        self._padding = padding_position(module)
        layers = self._layers = self.module.get_submodule(name)
        if make_layers is None:
            layers[-1].register_forward_hook(first_tokens_alone, with_kwargs=True)
        else:
            for number, layer in enumerate(make_layers(module, list(layers))):
                layers[number] = layer
        use_products(self.module)

    def __call__(self, packed: PackedRows, rows: DeviceRows) -> Tensor:
        """(rows, classes) logits, also of rows that fill up the batch.

        Args:
            packed: the batch.
            rows: its rows on the model's device.
        """
        ids, positions = torch.from_numpy(packed.ids)[None], torch.from_numpy(self._positions(packed))[None]
        logits: Tensor = self.module(
            input_ids=ids.to(rows.bounds.device, non_blocking=True),
            position_ids=positions.to(rows.bounds.device, non_blocking=True),
            packed_rows=rows,
        ).logits
        return logits

    def most_tokens(self, tokens: int) -> int:
        """``tokens``; as many as the model has positions, if a longer batch is too much for its tables."""
        table = getattr(self.module.config, "max_position_embeddings", None)
        if table is None or tokens <= table:
            return tokens
        halves = np.array([0, table // 2, table, table + 1])
        packed = pack(np.zeros(table + 1, np.int64), halves, np.arange(3))
        hook = self._layers[0].register_forward_pre_hook(_stop)
        try:
            with torch.no_grad():  # a tensor of the inference mode that the model keeps could not be trained with
                self(packed, on_device(packed, self.module.device, kernel=False))
        except _EmbeddedError:
            return tokens
        except PACKING_ERRORS:
            return int(table)
        finally:
            hook.remove()
        return tokens

    def _positions(self, packed: PackedRows) -> npt.NDArray[np.int64]:
        """(tokens,) positions as the model numbers them.

        BERT's begin at 0 in each row. RoBERTa's begin behind the padding's position, p, and a padding token in the
        middle of a text has position p and is not counted. Two rows of three tokens, p = 1, and one padding token::

            ids        5  6  7 | 8  1  9
            real       1  1  1 | 1  0  1     not the padding token
            counted    1  2  3 | 4  4  5     real tokens up to here, from the beginning of the batch
            before     0  0  0 | 3  3  3     real tokens before the row: (counted - real) at its first token
            positions  2  3  4 | 2  1  3     p + real · (counted - before)
        """
        if self._padding is None:
            return packed.positions
        real = packed.ids != self._padding
        counted = np.cumsum(real)
        firsts = np.arange(len(real)) - packed.positions  # of each token, the first token of its row
        before = (counted - real)[firsts]
        positions: npt.NDArray[np.int64] = self._padding + real * (counted - before)
        return positions


def _stop(*_: Any) -> None:
    raise _EmbeddedError


def first_tokens_alone(_layer: nn.Module, _arguments: Any, keywords: dict[str, Any], output: Any) -> Any:
    """The part of the last layer's output that the head reads: (1, tokens, hidden) → (rows, 1, hidden).

    Of a masked language model the rows of the result are its hidden tokens, as `DeviceRows.firsts` says.
    """
    hidden = output if isinstance(output, Tensor) else output[0]
    firsts = hidden[0, keywords["packed_rows"].firsts][:, None]
    return firsts if isinstance(output, Tensor) else (firsts, *output[1:])


def packed_differs(module: Any, longest: int, *, fused: bool) -> str | None:
    """How logits of packed rows differ from those of rows alone; None if they are the same.

    They are the same if they differ by at most 1e-5, and by a thousandth of the difference between rows.

    Args:
        module: the classifier, in fp32 and evaluation mode.
        longest: tokens of the longest row that is tried.
        fused: whether its layers are replaced by `fused_layers`.
    """
    module = settled(module, longest)
    if batching_of(module).resets:
        return "short rows change how it computes longer ones"
    if batching_of(module).passes_types:
        return "its tokenizer gives token types"
    rows = trial_rows(module, longest)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(row) for row in rows])])
    packed = pack(np.concatenate(rows), offsets, np.arange(len(rows)))
    device = next(module.parameters()).device
    try:
        model = PackedModel(module, make_layers=fused_layers if fused else None)
        with torch.inference_mode():
            alone = torch.cat([module(input_ids=torch.from_numpy(row)[None].to(device)).logits for row in rows])
            together = model(packed, on_device(packed, device, kernel=False))
    except PACKING_ERRORS as error:
        return f"its layers do not take packed rows ({error})"
    problem = logits_differ(alone, together)
    _log.debug("%s: %s", type(module).__name__, problem or "packed rows have the logits of rows alone")
    return problem


def logits_differ(alone: Tensor, together: Tensor) -> str | None:
    """How logits of rows together, (rows, outputs), differ from those of rows alone; None if they do not."""
    difference = float((alone - together).abs().max())
    spread = float((alone.max(0).values - alone.min(0).values).max())
    if difference <= min(_TOLERANCE * max(1.0, float(alone.abs().max())), 1e-3 * spread):
        return None
    return f"logits of rows together differ from those of rows alone by {difference:.1e}"


def trial_rows(module: Any, longest: int) -> list[npt.NDArray[np.int64]]:
    """Rows of made-up tokens: the longest one and short ones, two of them equally long.

    A text may name special tokens: one row has padding in its middle, another all that the configuration knows. ESM,
    for one, scales a whole batch of packed rows by the number of its mask tokens.
    """
    chance = np.random.default_rng(0)
    pad_id, size = module.config.pad_token_id, vocabulary_size(module)
    tokens = np.delete(np.arange(size), [pad_id] if pad_id is not None and pad_id < size else [])
    rows = [chance.choice(tokens, min(length, longest)) for length in (longest, *_PROBED_LENGTHS)]
    if len(tokens) < size:
        rows[1][len(rows[1]) // 2] = pad_id
    named = (value for name, value in vars(module.config).items() if name.endswith("_token_id"))
    special = sorted({token for token in named if isinstance(token, int) and 0 <= token < size} - {pad_id})
    rows[2][: len(special)] = special[: len(rows[2])]
    return rows
