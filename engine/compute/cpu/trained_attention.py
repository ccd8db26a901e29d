"""Attention of packed rows with its gradients, in bf16 on a CPU: products of few shapes, and nothing in fp32.

oneDNN prepares a product for each shape anew, which takes 1 to 4 ms where the product itself takes 0.2 to 0.5 (Xeon
with AMX, torch 2.13.0, 12 heads of 32, a row of 100 to 250 tokens); under autocast a softmax is computed in fp32,
which copies the weights to and fro. So rows are padded to multiples of 32 tokens here, and computed 1, 2, 4, … of
them together.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.compute.layers.dropout import kept_at_random, scale_of_kept

_STEP = 32
_TOKENS = 4096  # of a group


class Group(NamedTuple):
    """Rows that lie side by side in a packed batch, each padded to the same length.

    Attributes:
        first: number of its first row.
        begin: its first token.
        stop: the token behind its last one.
        rows: how many; a power of two.
        length: tokens of each, padding included.
        places: (stop - begin,) int64, where in (rows * length,) a token is; None if no row is padded.
        hidden: (rows, 1, 1, length) bf16, 0 for a token and -inf for padding; None if no row is padded.
    """

    first: int
    begin: int
    stop: int
    rows: int
    length: int
    places: Tensor | None
    hidden: Tensor | None


def groups(lengths: Iterable[int]) -> tuple[Group, ...]:
    """Rows of these lengths, which follow one another, as groups."""
    found, first, begin = [], 0, 0
    for part in _parts(lengths):
        group = _group(np.array(part), first, begin)
        found.append(group)
        first, begin = first + group.rows, group.stop
    return tuple(found)


def _parts(lengths: Iterable[int]) -> Iterator[list[int]]:
    """Neighbours of the same padded length, 1, 2, 4, … of them."""
    for padded, neighbours in groupby(lengths, _padded):
        rows = list(neighbours)
        while rows:
            count = 1 << min(len(rows), max(1, _TOKENS // padded)).bit_length() - 1
            yield rows[:count]
            rows = rows[count:]


def _padded(length: int) -> int:
    return -(-length // _STEP) * _STEP


def _group(lengths: np.ndarray[Any, np.dtype[np.int64]], first: int, begin: int) -> Group:
    rows, length, stop = len(lengths), _padded(int(lengths[0])), begin + int(lengths.sum())
    if stop - begin == rows * length:
        return Group(first, begin, stop, rows, length, None, None)
    real = np.arange(length) < lengths[:, None]
    hidden = torch.from_numpy(np.where(real, 0.0, -np.inf)).to(torch.bfloat16)[:, None, None]
    return Group(first, begin, stop, rows, length, torch.from_numpy(np.flatnonzero(real)), hidden)


def attend_trained(
    query: Tensor, key: Tensor, value: Tensor, rows: tuple[Group, ...], *, scale: float, dropout: float
) -> Tensor:
    """Every token, or the first of each row, attends to the tokens of its row.

    Args:
        query: (tokens, heads, width) of all tokens, or (rows, heads, width) of the first ones.
        key: (tokens, heads, width).
        value: (tokens, heads, any width).
        rows: all of them, as `groups` gives them.
        scale: of the products.
        dropout: of the weights; not 1.

    Returns:
        (tokens or rows, heads, width of ``value``) bf16. Tokens of no row hold 0.
    """
    attended: Tensor = _Attention.apply(query, key, value, rows, scale, dropout)  # type: ignore[no-untyped-call]
    return attended


class _Attention(torch.autograd.Function):
    """softmax(scale · query · keyᵀ) · value of each group, whose weights are kept for the gradients."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, rows: tuple[Group, ...], scale: float, dropout: float
    ) -> Tensor:
        firsts_only = len(query) != len(key)
        output = query.new_zeros(*query.shape[:2], value.shape[2], dtype=torch.bfloat16)
        saved: list[Tensor | None] = []
        factor = scale_of_kept(dropout)
        with torch.autocast("cpu", enabled=False):
            for group in rows:
                queries = _rectangle(query, group, firsts_only=firsts_only) * scale
                keys, values = (_rectangle(tensor, group) for tensor in (key, value))
                scores = torch.bmm(queries, keys.transpose(1, 2))
                if group.hidden is not None:
                    _by_row(scores, group).add_(group.hidden)
                weights = scores.softmax(2)
                kept = kept_at_random(weights, dropout) if dropout else None
                attended = torch.bmm(_dropped(weights, kept), values)
                _put(output, attended.mul_(factor) if dropout else attended, group, firsts_only=firsts_only)
                saved += [queries, keys, values, weights, kept]
        ctx.save_for_backward(*saved)
        ctx.rows, ctx.scale, ctx.factor = rows, scale, factor
        ctx.firsts_only, ctx.shapes = firsts_only, (query.shape, key.shape, value.shape)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), firsts_only = gradients, ctx.firsts_only
        of_query, of_key, of_value = (gradient.new_zeros(shape) for shape in ctx.shapes)
        for number, group in enumerate(ctx.rows):
            queries, keys, values, weights, kept = ctx.saved_tensors[5 * number : 5 * number + 5]
            outputs = _rectangle(gradient, group, firsts_only=firsts_only) * ctx.factor
            of_weights = torch.bmm(outputs, values.transpose(1, 2))
            # (width, length) products: the large factor is not transposed then.
            of_values = torch.bmm(outputs.transpose(1, 2), _dropped(weights, kept))
            of_scores = torch._softmax_backward_data(_dropped_(of_weights, kept), weights, 2, weights.dtype)
            _put(of_query, torch.bmm(of_scores, keys).mul_(ctx.scale), group, firsts_only=firsts_only)
            _put(of_key, torch.bmm(queries.transpose(1, 2), of_scores).transpose(1, 2), group)
            _put(of_value, of_values.transpose(1, 2), group)
        return of_query, of_key, of_value, None, None, None


def _dropped(weights: Tensor, kept: Tensor | None) -> Tensor:
    """bf16 ``weights`` times ``kept``, by their bits, since it is 0 or 1."""
    return weights if kept is None else (weights.view(torch.int16) * kept).view(torch.bfloat16)


def _dropped_(weights: Tensor, kept: Tensor | None) -> Tensor:
    """`_dropped` in place."""
    return weights if kept is None else weights.view(torch.int16).mul_(kept).view(torch.bfloat16)


def _by_row(scores: Tensor, group: Group) -> Tensor:
    """(rows * heads, queries, length) as (rows, heads, queries, length)."""
    return scores.view(group.rows, -1, *scores.shape[1:])


def _rectangle(tensor: Tensor, group: Group, *, firsts_only: bool = False) -> Tensor:
    """(rows * heads, length, width) bf16 of a group's (tokens, heads, width); of its (rows, heads, width) with 1."""
    if firsts_only:
        return tensor[group.first : group.first + group.rows].to(torch.bfloat16).flatten(0, 1)[:, None]
    part = tensor[group.begin : group.stop].to(torch.bfloat16)
    if group.places is not None:
        part = part.new_zeros(group.rows * group.length, *part.shape[1:]).index_copy_(0, group.places, part)
    return part.view(group.rows, group.length, *part.shape[1:]).transpose(1, 2).flatten(0, 1)


def _put(tensor: Tensor, rectangle: Tensor, group: Group, *, firsts_only: bool = False) -> None:
    """The inverse of `_rectangle`: write a group's part of ``tensor``."""
    rows = _by_row(rectangle, group)
    if firsts_only:
        tensor[group.first : group.first + group.rows] = rows[:, :, 0]
        return
    part = rows.transpose(1, 2).flatten(0, 1)
    tensor[group.begin : group.stop] = part if group.places is None else part.index_select(0, group.places)
