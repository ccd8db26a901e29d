"""A layer of a BERT-like encoder → the same layer for packed rows: one product for query, key and value.

For inference and training. The last layer of a classifier that reads the first token of a row computes nothing but
keys and values for the others.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from engine.compute.attention import DeviceRows, attend, attend_first
from engine.compute.cpu.bf16_attention import attend_in_bf16
from engine.compute.layers.dropout import dropped
from engine.compute.layers.linear import Weight, packed, product, product_gelu
from engine.models.loading.transformers_parts import GELUActivation

_log = logging.getLogger(__name__)


Held = TypeVar("Held", bound=Weight, covariant=True)


class LayerWeights(NamedTuple, Generic[Held]):
    """A layer's parameters; (outputs, inputs) and (outputs,).

    ``mixed`` gives query, key and value of all tokens; in the last layer key and value alone, and ``query`` the query
    of the first tokens. How the parameters of large products are held depends on the arithmetic.
    """

    query: Held | None
    query_bias: Tensor | None
    mixed: Held
    mixed_bias: Tensor
    out: Held
    out_bias: Tensor
    out_norm: Tensor
    out_norm_bias: Tensor
    up: Held
    up_bias: Tensor
    down: Held
    down_bias: Tensor
    down_norm: Tensor
    down_norm_bias: Tensor


class Form(NamedTuple):
    """Settings that all layers of a model share.

    Attributes:
        heads: of the attention.
        eps: of the norms.
        act: between the two products of the feed-forward part; None for GELU by the error function.
        dropout: of the outputs of attention and feed-forward part; 0 in inference.
        attention_dropout: of the attention's weights; 0 in inference.
    """

    heads: int
    eps: float
    act: Callable[[Tensor], Tensor] | None
    dropout: float = 0.0
    attention_dropout: float = 0.0


class FusedLayer(nn.Module):
    """The layer, on (1, tokens, hidden).

    Args:
        layer: of transformers; it must have the parts of a `BertLayer`.
        first_only: whether its output is (rows, 1, hidden), of the first token of each row.
        compiled: whether it is compiled; for a GPU, whose batches all have the same number of tokens.
        trained: whether its parameters are trained; they are read anew at each pass then.
        weights: its parameters as they are held, if they are not trained; those of ``layer`` if None.

    Raises:
        AttributeError: it has other parts.
    """

    def __init__(
        self,
        layer: Any,
        *,
        first_only: bool,
        compiled: bool = False,
        trained: bool = False,
        weights: LayerWeights[Weight] | None = None,
    ) -> None:
        super().__init__()
        self._first_only = first_only
        self._layer = layer if trained else None
        if weights is None and not trained:
            with torch.no_grad():
                weights = layer_weights(layer, first_only=first_only, kept=packed)
        self._weights = weights
        self._form = layer_form(layer)
        compute = first_tokens if first_only else all_tokens
        self._compute = _compiled(compute) if compiled and self._form.act is None else compute

    def forward(self, hidden: Tensor, *_: Any, packed_rows: DeviceRows, **__: Any) -> Tensor:
        """(1, tokens, hidden) → the same, or (rows, 1, hidden)."""
        if self._weights is not None:
            output = self._compute(hidden[0], self._weights, packed_rows, self._form)
        else:
            weights = layer_weights(self._layer, first_only=self._first_only)
            output = self._compute(hidden[0], weights, packed_rows, self._trained_form())
        return output[:, None] if self._first_only else output[None]

    def _trained_form(self) -> Form:
        layer: Any = self._layer
        if not self.training:
            return self._form
        return self._form._replace(
            dropout=float(layer.output.dropout.p), attention_dropout=float(layer.attention.self.dropout.p)
        )


def _as_it_is(weight: Tensor) -> Tensor:
    return weight


def layer_weights(
    layer: Any, *, first_only: bool, kept: Callable[[Tensor], Tensor] = _as_it_is
) -> LayerWeights[Tensor]:
    """The parameters of ``layer``; ``kept`` says how those of large products are held."""
    own, out, up, down = layer.attention.self, layer.attention.output, layer.intermediate.dense, layer.output
    parts = [own.key, own.value] if first_only else [own.query, own.key, own.value]
    return LayerWeights(
        query=kept(own.query.weight) if first_only else None,
        query_bias=own.query.bias if first_only else None,
        mixed=kept(torch.cat([part.weight for part in parts])),
        mixed_bias=torch.cat([part.bias for part in parts]),
        out=kept(out.dense.weight),
        out_bias=out.dense.bias,
        out_norm=out.LayerNorm.weight,
        out_norm_bias=out.LayerNorm.bias,
        up=kept(up.weight),
        up_bias=up.bias,
        down=kept(down.dense.weight),
        down_bias=down.dense.bias,
        down_norm=down.LayerNorm.weight,
        down_norm_bias=down.LayerNorm.bias,
    )


def layer_form(layer: Any) -> Form:
    """The settings of ``layer``."""
    act = layer.intermediate.intermediate_act_fn
    return Form(
        heads=int(layer.attention.self.num_attention_heads),
        eps=float(layer.output.LayerNorm.eps),
        act=None if isinstance(act, GELUActivation) else act,
    )


def all_tokens(hidden: Tensor, weights: LayerWeights[Weight], rows: DeviceRows, form: Form) -> Tensor:
    """(tokens, hidden) → (tokens, hidden)."""
    mixed = split_heads(product(hidden, weights.mixed, weights.mixed_bias), 3, form)
    if rows.bf16_attention and rows.rectangles:
        attended = attend_in_bf16(mixed, rows.rectangles, rows.bf16_attention)
    else:
        query, key, value = mixed.unbind(1)
        attended = attend(query, key, value, rows, dropout=form.attention_dropout)
    return _feed_forward(attended.flatten(1), hidden, weights, form)


def first_tokens(hidden: Tensor, weights: LayerWeights[Weight], rows: DeviceRows, form: Form) -> Tensor:
    """(tokens, hidden) → (rows, hidden), of the first token of each row."""
    assert weights.query is not None, "the layer has a product of its own for the query"
    firsts = hidden[rows.firsts]
    query = split_heads(product(firsts, weights.query, weights.query_bias), 1, form)[:, 0]
    key, value = split_heads(product(hidden, weights.mixed, weights.mixed_bias), 2, form).unbind(1)
    attended = attend_first(query, key, value, rows, dropout=form.attention_dropout)
    return _feed_forward(attended.flatten(1), firsts, weights, form)


def split_heads(mixed: Tensor, parts: int, form: Form) -> Tensor:
    """(tokens, parts * hidden) → (tokens, parts, heads, width)."""
    return mixed.view(mixed.shape[0], parts, form.heads, -1)


def _feed_forward(attended: Tensor, hidden: Tensor, weights: LayerWeights[Weight], form: Form) -> Tensor:
    mixed = _added(product(attended, weights.out, weights.out_bias), hidden, form)
    hidden = layer_norm(mixed, mixed.shape[1:], weights.out_norm, weights.out_norm_bias, form.eps)
    if form.act is None:
        raised = product_gelu(hidden, weights.up, weights.up_bias)
    else:
        raised = form.act(product(hidden, weights.up, weights.up_bias))
    output = _added(product(raised, weights.down, weights.down_bias), hidden, form)
    return layer_norm(output, output.shape[1:], weights.down_norm, weights.down_norm_bias, form.eps)


def _added(part: Tensor, hidden: Tensor, form: Form) -> Tensor:
    """``part`` + ``hidden``; in the memory of ``part`` if no gradient needs it."""
    if torch.is_grad_enabled():
        return (dropped(part, form.dropout) if form.dropout else part) + hidden
    return part.add_(hidden)


_failed: list[str] = []


def compiling_failed() -> bool:
    """Whether layers of this process run uncompiled because compiling them failed."""
    return bool(_failed)


Compute = Callable[[Tensor, LayerWeights[Weight], DeviceRows, Form], Tensor]


@cache
def _compiled(compute: Compute) -> Compute:
    """Compiled once for all layers, whose weights come as arguments; uncompiled, with a warning, if that fails.

    All batches have one number of tokens. Their numbers of rows differ; torch finds that out at the second one, and
    compiles for all numbers then.
    """
    quick: Compute | None = torch.compile(compute)

    def try_quick(hidden: Tensor, weights: LayerWeights[Weight], rows: DeviceRows, form: Form) -> Tensor:
        nonlocal quick
        if quick is not None:
            try:
                return quick(hidden, weights, rows, form)
            except torch._dynamo.exc.TorchDynamoException as error:
                _log.warning("the layers cannot be compiled here, and run as they are: %s", str(error).split("\n")[0])
                quick = None
                _failed.append(compute.__name__)
        return compute(hidden, weights, rows, form)

    return try_quick


def fused_layers(module: Any, layers: Sequence[Any], *, compiled: bool = False) -> list[nn.Module]:
    """What takes the place of ``layers``; an `engine.compute.packed_model.MakeLayers`."""
    last, trained = len(layers) - 1, bool(module.training)
    return [
        FusedLayer(layer, first_only=number == last, compiled=compiled, trained=trained)
        for number, layer in enumerate(layers)
    ]
