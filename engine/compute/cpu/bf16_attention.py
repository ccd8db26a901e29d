"""Attention of packed rows in bf16 on a CPU. Rows of nearly equal length share a rectangle, in one of two ways.

``products``: two batched products by oneDNN, and exponentials between them. Without AMX torch's own attention takes its
products from MKL, a row length at a time (AMD EPYC, torch 2.13.0, 12 heads of 64: 60 GFLOP/s, in bf16 no more, where
oneDNN's products in bf16 reach 200). The scores are not shifted by their maximum, which would cost a pass over them;
instead the mean of the keys is taken from each, which changes no weight of a softmax (Zhang et al. 2024,
SageAttention) and leaves small scores, and what overflows nevertheless is computed again by torch.

``flash``: torch's own attention, whose kernel for CPUs is a FlashAttention and uses AMX where the processor has it. It
is 1.1 to 1.9 times as fast as ``products`` there (Xeon, rows of 32 to 256 tokens, heads of 32 and 64).
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Bf16Attention = Literal["products", "flash"]

LONGEST = 512
"""Tokens of the longest row of ``products``: the scores of a row grow with its square."""
_TOKENS = 4096  # of a rectangle
_SHORTEST = 0.85  # of the longest row of a rectangle
_STEP: dict[Bf16Attention, int] = {"products": 8, "flash": 16}
"""Tokens, to multiples of which rectangles are padded: oneDNN prepares its products for each length anew, and torch's
own attention takes up to 1.7 times as long for a row of 120 tokens as for one of 128."""
_HIDDEN = -30_000.0
_LEAST, _MOST = 1e-20, 1e37  # sums of exponentials that bf16 holds as well as others


class Rectangle(NamedTuple):
    """Rows of nearly equal length that lie side by side in a packed batch, padded to the longest.

    Attributes:
        begin: its first token.
        stop: the token behind its last one.
        rows: how many.
        length: tokens of the longest, rounded up.
        taken: (rows * length,) int64, which token of the batch, from ``begin`` on, is at a place; None if no row is
            padded.
        hidden: (rows, 1, length, 1) bf16, 0 for a token and far below for padding; None if no row is padded.
        places: (stop - begin,) int64, where in the rectangle a token is; None if no row is padded.
    """

    begin: int
    stop: int
    rows: int
    length: int
    taken: Tensor | None = None
    hidden: Tensor | None = None
    places: Tensor | None = None


def rectangles(lengths: Iterable[int], how: Bf16Attention) -> tuple[Rectangle, ...]:
    """Rows of these lengths, one after the other, cut into rectangles for a way to compute them."""
    found, begin = [], 0
    for group in _groups(lengths):
        stop = begin + int(group.sum())
        found.append(_rectangle(group, begin, stop, step=_STEP[how]))
        begin = stop
    return tuple(found)


def _groups(lengths: Iterable[int]) -> Iterator[npt.NDArray[np.int64]]:
    """Neighbours none of which is much shorter than another."""
    group: list[int] = []
    for length in lengths:
        extended = [*group, length]
        if group and (min(extended) < _SHORTEST * max(extended) or len(extended) * max(extended) > _TOKENS):
            yield np.array(group)
            extended = [length]
        group = extended
    if group:
        yield np.array(group)


def _rectangle(lengths: npt.NDArray[np.int64], begin: int, stop: int, *, step: int) -> Rectangle:
    rows, length = len(lengths), -(-int(lengths.max()) // step) * step
    if lengths.min() == length:
        return Rectangle(begin, stop, rows, length)
    firsts = np.cumsum(lengths) - lengths
    place = np.arange(length)
    taken = firsts[:, None] + np.minimum(place, lengths[:, None] - 1)  # padding repeats the row's last token
    real = place < lengths[:, None]
    hidden = torch.from_numpy(np.where(real, 0.0, _HIDDEN)).to(torch.bfloat16)[:, None, :, None]
    places = torch.from_numpy(np.flatnonzero(real))
    return Rectangle(begin, stop, rows, length, torch.from_numpy(taken.reshape(-1)), hidden, places)


def attend_in_bf16(mixed: Tensor, rows: tuple[Rectangle, ...], how: Bf16Attention) -> Tensor:
    """Every token attends to the tokens of its row.

    Args:
        mixed: (tokens, 3, heads, width), query, key and value.
        rows: all of them.
        how: the way to compute a rectangle.

    Returns:
        (tokens, heads, width), in the dtype of ``mixed``. Tokens of no row hold 0.
    """
    return joined([_attend(mixed[row.begin : row.stop], row, how) for row in rows], len(mixed))


def joined(parts: list[Tensor], size: int) -> Tensor:
    """All parts, one after the other, filled up to ``size`` with zeros."""
    missing = size - sum(map(len, parts))
    if missing:
        parts.append(parts[0].new_zeros(missing, *parts[0].shape[1:]))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _attend(mixed: Tensor, rows: Rectangle, how: Bf16Attention) -> Tensor:
    tokens, _, heads, width = mixed.shape
    shape = (rows.rows, rows.length, heads, width)
    halves = mixed.reshape(tokens, -1).to(torch.bfloat16)
    if rows.taken is not None:
        halves = halves.index_select(0, rows.taken)
    halves = halves.view(rows.rows, rows.length, 3, heads, width)
    attended = _by_torch(halves, rows.hidden) if how == "flash" else _weighted(halves, rows.hidden)
    if attended is None:
        whole = mixed.reshape(tokens, -1) if rows.taken is None else mixed.reshape(tokens, -1)[rows.taken]
        attended = _by_torch(whole.view(rows.rows, rows.length, 3, heads, width), rows.hidden)
    placed = attended.reshape(shape[0] * shape[1], heads * width)
    if rows.places is not None:
        placed = placed.index_select(0, rows.places)
    return placed.view(tokens, heads, width).to(mixed.dtype)


def _weighted(mixed: Tensor, hidden: Tensor | None) -> Tensor | None:
    """(rows, length, heads, width) bf16 of (rows, length, 3, heads, width) bf16.

    None if the sum of some exponentials is out of range.
    """
    query, key, value = mixed.unbind(2)
    count, length, heads, width = query.shape
    extra = 0 if hidden is None else 2  # bf16 is multiplied in pairs
    queries, keys = (query.new_empty(count, heads, length, width + extra) for _ in range(2))
    values = query.new_empty(count, heads, length, width + 1)
    queries[..., :width] = query.transpose(1, 2)
    torch.sub(key.transpose(1, 2), key.mean(1)[:, :, None], out=keys[..., :width])
    values[..., :width] = value.transpose(1, 2)
    values[..., width] = 1
    if hidden is not None:
        queries[..., width:] = 1
        keys[..., width:] = hidden
    scores = query.new_empty(count * heads, length, length)
    queries, keys, values = (part.flatten(0, 1) for part in (queries, keys, values))
    torch.baddbmm(scores, queries, keys.transpose(1, 2), beta=0, alpha=width**-0.5, out=scores)
    sums = torch.bmm(scores.exp_(), values).view(count, heads, length, width + 1).transpose(1, 2)
    least, most = sums[..., width:].aminmax()
    if not (float(least) > _LEAST and float(most) < _MOST):  # also where one is no number
        return None
    return sums[..., :width] / sums[..., width:]


def _by_torch(mixed: Tensor, hidden: Tensor | None) -> Tensor:
    """(rows, length, heads, width) of (rows, length, 3, heads, width), by torch's attention."""
    query, key, value = (part.transpose(1, 2) for part in mixed.unbind(2))
    mask = None if hidden is None else hidden.transpose(2, 3).to(mixed.dtype)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)
