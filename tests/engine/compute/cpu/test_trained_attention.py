from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from engine.compute.cpu.trained_attention import attend_trained, groups

HEADS, WIDTH = 3, 16
LENGTHS = {
    "one": [7],
    "one of a full length": [32],
    "ascending": [1, 2, 31, 32, 33, 64, 65, 100],
    "falling": [100, 96, 90, 70, 64, 40, 33, 32, 31, 5, 5, 5, 1],
    "many": [20] * 13,
    "equal and full": [64] * 4,
    "long": [300, 513],
}


def made_up(lengths: list[int], *, filled: int = 0, rows: int | None = None, seed: int = 0) -> tuple[torch.Tensor, ...]:
    chance = torch.Generator().manual_seed(seed)
    tokens = sum(lengths) + filled
    return tuple(
        torch.randn(count, HEADS, WIDTH, generator=chance).to(torch.bfloat16).requires_grad_()
        for count in (tokens if rows is None else rows, tokens, tokens)
    )


def row_by_row(query, key, value, lengths, scale):
    """In fp32, each row alone; its queries are all of its tokens, or the one that belongs to it."""
    parts, begin = [], 0
    for number, length in enumerate(lengths):
        own = slice(begin, begin + length)
        queries = query[own] if len(query) == len(key) else query[number : number + 1]
        rows = (tensor.transpose(0, 1)[None] for tensor in (queries, key[own], value[own]))
        parts.append(scaled_dot_product_attention(*rows, scale=scale)[0].transpose(0, 1))
        begin += length
    return torch.cat(parts)


def is_near(found: torch.Tensor, right: torch.Tensor) -> bool:
    """Within the rounding of bf16: scores and weights have 8 bits."""
    found, right = found.detach().float(), right.detach()
    return float((found - right).norm()) <= 0.02 * float(right.norm()) + 1e-6


@pytest.mark.parametrize("firsts_only", [False, True], ids=["all tokens", "first tokens"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_outputs_and_gradients_are_those_of_each_row_alone(lengths, firsts_only):
    own = made_up(lengths, rows=len(lengths) if firsts_only else None)
    whole = [tensor.detach().float().requires_grad_() for tensor in own]
    found = attend_trained(*own, groups(lengths), scale=0.3, dropout=0.0)
    right = row_by_row(*whole, lengths, 0.3)
    weights = torch.randn(right.shape, generator=torch.Generator().manual_seed(1))
    (found * weights.to(torch.bfloat16)).sum().backward()
    (right * weights.to(torch.bfloat16)).sum().backward()
    assert found.dtype == torch.bfloat16
    assert is_near(found, right)
    for name, mine, other in zip(("query", "key", "value"), own, whole, strict=True):
        assert is_near(mine.grad, other.grad), name


def test_a_value_may_have_another_width_and_inputs_any_type():
    lengths = [40, 9]
    query, key, _ = (tensor.detach().float().requires_grad_() for tensor in made_up(lengths))
    value = torch.randn(49, HEADS, 5, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = attend_trained(query, key, value, groups(lengths), scale=0.3, dropout=0.0)
    right = row_by_row(query, key, value, lengths, 0.3)
    assert is_near(found, right)
    expected = torch.autograd.grad(right.square().sum(), (query, key, value))
    found.float().square().sum().backward()
    for mine, other in zip((query, key, value), expected, strict=True):
        assert mine.grad.dtype == torch.float32
        assert is_near(mine.grad, other)


def test_tokens_of_no_row_get_nothing_and_give_nothing():
    lengths = [40, 20]
    own = made_up(lengths, filled=11)
    found = attend_trained(*own, groups(lengths), scale=0.3, dropout=0.0)
    found.float().square().sum().backward()
    assert not found[60:].any()
    assert found[:60].any()
    for tensor in own:
        assert not tensor.grad[60:].any()
        assert tensor.grad[:60].any()


def test_what_is_dropped_has_no_gradient_and_the_mean_stays():
    lengths, share = [64] * 8, 0.25
    query, key, value = made_up(lengths)
    torch.manual_seed(0)
    ones = torch.ones_like(value).requires_grad_()
    found = attend_trained(query, key, ones, groups(lengths), scale=0.0, dropout=share)  # all weights are 1 / 64
    kept = found.detach()[:, :, 0].float() * (1 - share)  # the share of its weights that a token kept
    assert float(found.detach().float().mean()) == pytest.approx(1.0, abs=0.01)
    assert float(kept.std()) == pytest.approx(np.sqrt(share * (1 - share) / 64), rel=0.1)
    found.float().sum().backward()
    assert float(ones.grad.float().mean()) == pytest.approx(1.0, abs=0.01)
    assert float(ones.grad.float().std()) == pytest.approx(np.sqrt(share / (1 - share) / 64), rel=0.1)


def test_gradients_are_of_the_weights_that_were_kept():
    lengths, share, scale = [32], 0.3, 0.25
    query, key, value = made_up(lengths)
    eyes = torch.eye(32)[:, None].expand(32, HEADS, 32)  # the outputs are the weights
    torch.manual_seed(3)
    dropped = attend_trained(query, key, eyes, groups(lengths), scale=scale, dropout=share)
    torch.manual_seed(3)
    found = attend_trained(query, key, value, groups(lengths), scale=scale, dropout=share)
    found.float().square().sum().backward()
    whole = [tensor.detach().float().requires_grad_() for tensor in (query, key, value)]
    weights = (scale * torch.einsum("qhw,khw->hqk", whole[0], whole[1])).softmax(2)
    kept = (dropped.detach() != 0).float().permute(1, 0, 2)  # (heads, queries, keys)
    right = torch.einsum("hqk,khw->qhw", weights * kept / (1 - share), whole[2])
    assert 0.6 < float(kept.mean()) < 0.8
    assert is_near(found, right)
    for mine, other in zip((query, key, value), torch.autograd.grad(right.square().sum(), whole), strict=True):
        assert is_near(mine.grad, other)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_groups_have_all_rows_in_few_shapes(lengths):
    found = groups(lengths)
    assert [group.first for group in found] == np.cumsum([0, *(group.rows for group in found)])[:-1].tolist()
    assert found[-1].first + found[-1].rows == len(lengths)
    assert (found[0].begin, found[-1].stop) == (0, sum(lengths))
    for group, after in pairwise(found):
        assert group.stop == after.begin
    for group in found:
        own = lengths[group.first : group.first + group.rows]
        assert group.length % 32 == 0
        assert 0 <= group.length - max(own) < 32
        assert group.rows & (group.rows - 1) == 0
        assert group.rows == 1 or group.rows * group.length <= 4096
