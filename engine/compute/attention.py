"""Attention inside the rows of a packed sequence, as transformers' models call it and as our own layers do.

A GPU has a kernel for rows of different lengths in 16 bits; other devices compute rows of equal length together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.compute.cpu.bf16_attention import LONGEST, Bf16Attention, Rectangle, joined, rectangles
from engine.compute.cpu.trained_attention import Group, attend_trained, groups
from engine.compute.layers.dropout import dropped, drops_all
from engine.compute.packing import EqualRows, PackedRows
from engine.models.loading.transformers_parts import AttentionInterface

ATTENTION = "engine_packed"
"""The name of the attention function among those of transformers."""
varlen_attn: Any = None
"""The kernel; importing it takes a second, and 100 MB, which a machine without a GPU does not have to pay."""
if torch.cuda.device_count():
    from torch.nn.attention.varlen import varlen_attn


@dataclass(frozen=True, kw_only=True)
class DeviceRows:
    """Where the rows of a packed batch are, on its device.

    Attributes:
        bounds: (rows + 1,) int32, as in `PackedRows`.
        firsts: (rows,) int64, as in `PackedRows`; of a masked language model (hidden,), its hidden tokens.
        blocks: rows of equal length that lie side by side.
        longest: tokens of the longest row.
        kernel: whether the kernel for rows of different lengths is used.
        rectangles: the rows for `engine.compute.cpu.bf16_attention`; none if it is not used.
        bf16_attention: how it computes them.
        trained: the rows for `engine.compute.cpu.trained_attention`; none if it is not used.
    """

    bounds: Tensor
    firsts: Tensor
    blocks: tuple[EqualRows, ...]
    longest: int
    kernel: bool
    rectangles: tuple[Rectangle, ...] = ()
    bf16_attention: Bf16Attention | None = None
    trained: tuple[Group, ...] = ()


def has_kernel(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether ``device`` has the kernel for rows of different lengths: FlashAttention 2 needs Ampere and 16 bits."""
    if device.type != "cuda" or dtype not in (torch.float16, torch.bfloat16):
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def on_device(
    packed: PackedRows,
    device: torch.device,
    *,
    kernel: bool,
    longest: int | None = None,
    bf16_attention: Bf16Attention | None = None,
) -> DeviceRows:
    """Copy the bounds of a packed batch to the device.

    Args:
        packed: the batch.
        device: that computes it.
        kernel: as in `DeviceRows`.
        longest: a bound that stays the same from batch to batch, so that a compiled model does too.
        bf16_attention: how attention is computed in bf16, on a CPU; rows of more tokens than that is for are not.
    """
    lengths = [block.length for block in packed.blocks for _ in range(block.rows)]
    halves = bf16_attention == "flash" or (bf16_attention == "products" and packed.longest <= LONGEST)
    return DeviceRows(
        bounds=torch.from_numpy(packed.bounds).to(device, non_blocking=True),
        firsts=torch.from_numpy(packed.firsts).to(device, non_blocking=True),
        blocks=packed.blocks,
        longest=packed.longest if longest is None else longest,
        kernel=kernel,
        rectangles=rectangles(lengths, bf16_attention) if bf16_attention and halves else (),
        bf16_attention=bf16_attention,
        trained=groups(lengths) if _trains_in_bf16(device) else (),
    )


def _trains_in_bf16(device: torch.device) -> bool:
    """Whether gradients are asked for, of products in bf16 on a CPU."""
    return device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")


def _uses_trained(rows: DeviceRows, dropout: float, window: int | None = None) -> bool:
    """Whether `attend_trained` computes ``rows``: not where a window hides tokens, or all weights are dropped.

    Without dropout long rows are left to torch's attention, which keeps no weights for the gradients.
    """
    sees_all = window is None or rows.longest <= window
    return bool(rows.trained) and sees_all and not drops_all(dropout) and (dropout > 0 or rows.longest <= LONGEST)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    rows: DeviceRows,
    *,
    scale: float | None = None,
    dropout: float = 0.0,
    window: int | None = None,
) -> Tensor:
    """Every token attends to the tokens of its row.

    Args:
        query: (tokens, heads, width).
        key: like ``query``.
        value: like ``query``.
        rows: where they are.
        scale: of the products; 1 / √width if None.
        dropout: of the weights; ignored by the kernel, which has none.
        window: tokens less than this far apart attend to each other; None for all.

    Returns:
        (tokens, heads, width). Tokens of no row hold anything.
    """
    if rows.kernel:
        reach = (-1, -1) if window is None else (window - 1, window - 1)
        bounds, longest = rows.bounds, rows.longest
        query, key = query.to(value.dtype), key.to(value.dtype)  # autocast leaves rotated ones in fp32
        packed = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scale, window_size=reach)
        assert isinstance(packed, Tensor)
        return packed
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if _uses_trained(rows, dropout, window):
        return attend_trained(query, key, value, rows.trained, scale=scale, dropout=dropout)
    parts = []
    rectangles_of = (_rectangles(tensor, rows.blocks) for tensor in (query, key, value))
    for block, queries, keys, values in zip(rows.blocks, *rectangles_of, strict=True):
        mask = _band(block.length, window, query.device)
        if dropout and query.device.type == "cpu":
            part = _weighted(queries, keys, values, mask, scale, dropout)
        else:
            part = scaled_dot_product_attention(queries, keys, values, mask, dropout, scale=scale)
        parts.append(part)
    return joined([part.transpose(1, 2).flatten(0, 1) for part in parts], len(query))


def attend_first(query: Tensor, key: Tensor, value: Tensor, rows: DeviceRows, *, dropout: float = 0.0) -> Tensor:
    """The first token of each row attends to the tokens of its row.

    Args:
        query: (rows, heads, width), of the first tokens.
        key: (tokens, heads, width).
        value: like ``key``.
        rows: where they are.
        dropout: as in `attend`.

    Returns:
        (rows, heads, width). Rows that fill up the batch hold anything.
    """
    if rows.kernel:
        each = torch.arange(len(query) + 1, dtype=torch.int32, device=query.device)
        packed = varlen_attn(query, key, value, each, rows.bounds, 1, rows.longest)
        assert isinstance(packed, Tensor)
        return packed
    if _uses_trained(rows, dropout):
        return attend_trained(query, key, value, rows.trained, scale=query.shape[-1] ** -0.5, dropout=dropout)
    parts = [
        scaled_dot_product_attention(
            query[first : first + block.rows, :, None],
            keys,
            values,
            dropout_p=dropout,
        )
        for (first, block), keys, values in zip(
            _numbered(rows.blocks), _rectangles(key, rows.blocks), _rectangles(value, rows.blocks), strict=True
        )
    ]
    return joined([part[:, :, 0] for part in parts], len(query))


def _numbered(blocks: tuple[EqualRows, ...]) -> Iterator[tuple[int, EqualRows]]:
    """Each block with the number of its first row."""
    first = 0
    for block in blocks:
        yield first, block
        first += block.rows


def _rectangles(packed: Tensor, blocks: tuple[EqualRows, ...]) -> list[Tensor]:
    """(rows, heads, length, width) of each block; they follow one another from the first token on.

    The gradient of a split is one tensor, and that of slices one for each.
    """
    sizes = [block.rows * block.length for block in blocks]
    parts = torch.split_with_sizes(packed, [*sizes, len(packed) - sum(sizes)])
    return [
        part.view(block.rows, block.length, *packed.shape[1:]).transpose(1, 2)
        for part, block in zip(parts, blocks, strict=False)  # what fills the batch up is the last part
    ]


def _band(length: int, window: int | None, device: torch.device) -> Tensor | None:
    """(length, length) true if two tokens are less than ``window`` apart; None if all are."""
    if window is None or length <= window:
        return None
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1 - window).tril(window - 1)


def _weighted(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, dropout: float) -> Tensor:
    """Attention in three steps, (rows, heads, length, width): torch's own draws a number for each weight it drops.

    Args:
        query: (rows, heads, length, width).
        key: like ``query``.
        value: like ``query``.
        mask: (length, length) true if two tokens attend to each other; None if all do.
        scale: of the products.
        dropout: of the weights.
    """
    scores = (query * scale) @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return dropped(scores.softmax(3), dropout) @ value


def _packed_attention(
    _module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _attention_mask: None,
    *,
    packed_rows: DeviceRows,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers' models call it: (1, heads, tokens, width) → (1, tokens, heads, width)."""
    query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    packed = attend(query, key, value, packed_rows, scale=scaling, dropout=dropout, window=sliding_window)
    return packed[None], None


AttentionInterface.register(ATTENTION, _packed_attention)
