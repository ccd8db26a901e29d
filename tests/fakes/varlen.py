"""What PyTorch's kernel for rows of different lengths computes, on a CPU; what it leaves undefined is nan here."""

import torch


def plain_attention(query, key, value, *, scale=None, window=None):
    """Softmax attention of one row: (queries, heads, width) and (keys, heads, width) → (queries, heads, width)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = torch.einsum("qhw,khw->hqk", query, key) * scale
    if window is not None:
        apart = torch.arange(len(query))[:, None] - torch.arange(len(key))[None]
        scores = scores.masked_fill(apart.abs() >= window, float("-inf"))
    return torch.einsum("hqk,khw->qhw", scores.softmax(-1), value)


def varlen_attn(query, key, value, bounds, key_bounds, longest, longest_key, *, scale=None, window_size=(-1, -1)):
    """The twin of `torch.nn.attention.varlen.varlen_attn`."""
    assert bounds.dtype == key_bounds.dtype == torch.int32
    assert len(bounds) == len(key_bounds)
    assert bounds.diff().max() <= longest
    assert key_bounds.diff().max() <= longest_key
    assert window_size[0] == window_size[1]
    window = None if window_size[0] < 0 else window_size[0] + 1
    output = torch.full_like(query, float("nan"))
    for number in range(len(bounds) - 1):
        own, keys = (slice(*edges[number : number + 2].tolist()) for edges in (bounds, key_bounds))
        if keys.start < keys.stop:
            output[own] = plain_attention(query[own], key[keys], value[keys], scale=scale, window=window)
    return output


def counted_kernel(monkeypatch):
    """Put the twin in the place of a GPU's kernel for training in bf16; a list of how it is asked."""
    asked = []

    def seen(*arguments, **options):
        asked.append(options)
        return varlen_attn(*arguments, **options)

    monkeypatch.setattr("engine.compute.forward.has_kernel", lambda device, dtype: dtype == torch.bfloat16)
    monkeypatch.setattr("engine.compute.attention.varlen_attn", seen)
    return asked
