"""Attention in bf16: what it is off by, how rows share rectangles, and what cannot be computed so."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from families import LONGEST, alone, classifier, made_up, make
from varlen import plain_attention

from engine.compute.attention import on_device
from engine.compute.backend import Workload
from engine.compute.backends import require_backend
from engine.compute.cpu import bf16_attention
from engine.compute.cpu.bf16_attention import attend_in_bf16, rectangles
from engine.compute.cpu.int8 import int8_problem
from engine.compute.encoder import Encoder
from engine.compute.packing import pack
from engine.compute.torch_backends import BF16
from engine.errors import ModelError

CPU = torch.device("cpu")
ROUNDING = 2**-8
WAYS = ["products", "flash"]


def mixed(tokens, *, heads=4, width=8, size=1.0):
    return torch.randn(tokens, 3, heads, width, generator=torch.Generator().manual_seed(0)) * size


def row_by_row(tensor, lengths):
    edges = np.concatenate([[0], np.cumsum(lengths)])
    rows = [tensor[begin:stop].unbind(1) for begin, stop in pairwise(edges)]
    return torch.cat([plain_attention(*row) for row in rows])


@pytest.mark.parametrize("lengths", [[1], [7], [9, 9, 9], [20, 19, 18], [18, 19, 20], [40, 17, 17, 3, 1]], ids=str)
@pytest.mark.parametrize("width", [8, 32, 64])
@pytest.mark.parametrize("how", WAYS)
def test_tokens_attend_to_their_row_alone(lengths, width, how):
    tensor = mixed(sum(lengths), width=width)
    ours = attend_in_bf16(tensor, rectangles(lengths, how), how)
    torch.testing.assert_close(ours, row_by_row(tensor, lengths), atol=8 * ROUNDING, rtol=8 * ROUNDING)


@pytest.mark.parametrize("how", WAYS)
def test_it_is_as_exact_as_torch_in_bf16(how):
    lengths = [40, 39, 38, 37, 36, 35]
    tensor = mixed(sum(lengths), width=64)
    exact = row_by_row(tensor, lengths)
    ours = (attend_in_bf16(tensor, rectangles(lengths, how), how) - exact).abs().mean()
    torchs = (row_by_row(tensor.bfloat16(), lengths).float() - exact).abs().mean()
    assert 0 < float(ours) < 1.5 * float(torchs)


def test_what_all_keys_share_costs_no_precision():
    lengths = [30, 30]
    tensor = mixed(60, width=64)
    shifted = tensor.clone()
    shifted[:, 1] += 8  # scores of some 64 more, of which bf16 would keep halves
    expected = row_by_row(tensor, lengths)
    torch.testing.assert_close(
        attend_in_bf16(shifted, rectangles(lengths, "products"), "products"),
        expected,
        atol=16 * ROUNDING,
        rtol=16 * ROUNDING,
    )


@pytest.mark.parametrize("lengths", [[12, 12], [12, 11]], ids=str)
def test_sums_out_of_range_are_computed_again_by_torch(lengths, monkeypatch):
    again = []
    own = bf16_attention._by_torch
    monkeypatch.setattr(bf16_attention, "_by_torch", lambda *rows: again.append(1) or own(*rows))
    tensor = mixed(sum(lengths), width=64, size=8.0)  # scores of hundreds: e to their power is infinite
    ours = attend_in_bf16(tensor, rectangles(lengths, "products"), "products")
    assert again == [1]
    torch.testing.assert_close(ours, row_by_row(tensor, lengths), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("how", WAYS)
def test_a_row_that_is_no_number_spoils_no_other(how):
    lengths = [12, 12, 11]
    tensor = mixed(35)
    spoilt = tensor.clone()
    spoilt[14] = float("nan")
    ours = attend_in_bf16(spoilt, rectangles(lengths, how), how)
    assert not ours[12:24].isfinite().any()
    others = [*range(12), *range(24, 35)]
    expected = row_by_row(tensor, lengths)[others]
    torch.testing.assert_close(ours[others], expected, atol=8 * ROUNDING, rtol=8 * ROUNDING)


@pytest.mark.parametrize("how", WAYS)
def test_padding_has_no_weight_however_small_the_scores(how):
    tensor = mixed(19)
    tensor[:, :2] = 0  # all tokens of a row weigh the same
    ours = attend_in_bf16(tensor, rectangles([10, 9], how), how)
    assert len(rectangles([10, 9], how)) == 1
    expected = tensor[10:, 2].mean(0).expand(9, 4, 8)
    torch.testing.assert_close(ours[10:], expected, atol=4 * ROUNDING, rtol=4 * ROUNDING)


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([], []),
        ([5], [(0, 5, 1, 8)]),  # lengths are rounded up to eights
        ([20, 19, 17, 16], [(0, 56, 3, 24), (56, 72, 1, 16)]),  # 17 of 20 is enough, 16 is not
        ([16, 17, 20], [(0, 33, 2, 24), (33, 53, 1, 24)]),
        ([20, 10, 20], [(0, 20, 1, 24), (20, 30, 1, 16), (30, 50, 1, 24)]),
        ([512] * 9, [(0, 4096, 8, 512), (4096, 4608, 1, 512)]),  # no more than 4,096 tokens share one
    ],
)
def test_rows_of_nearly_one_length_share_a_rectangle(lengths, groups):
    assert [rectangle[:4] for rectangle in rectangles(lengths, "products")] == groups


def test_lengths_are_rounded_up_to_what_a_way_is_fast_at():
    lengths = [40, 39, 33, 20, 9, 3]
    found = {how: [(rows.rows, rows.length) for rows in rectangles(lengths, how)] for how in WAYS}
    assert found["products"] == [(2, 40), (1, 40), (1, 24), (1, 16), (1, 8)]
    assert found["flash"] == [(2, 48), (1, 48), (1, 32), (1, 16), (1, 16)]


def test_rows_of_one_length_are_not_padded():
    assert rectangles([16, 16], "flash") == ((0, 32, 2, 16, None, None, None),)


@pytest.mark.parametrize("how", WAYS)
def test_tokens_that_fill_a_batch_up_hold_nothing_and_change_nothing(how):
    tensor = mixed(24)
    rows = rectangles([10, 9], how)
    filled = attend_in_bf16(tensor, rows, how)
    torch.testing.assert_close(filled[:19], attend_in_bf16(tensor[:19], rows, how), atol=0, rtol=0)
    assert not filled[19:].any()


def test_products_of_longer_rows_are_left_to_torch():
    def packed(longest):
        offsets = np.array([0, 3, 3 + longest])
        return pack(np.ones(offsets[-1], np.int64), offsets, np.arange(2))

    for longest, how, count in [(512, "products", 2), (513, "products", 0), (513, "flash", 2)]:
        assert len(on_device(packed(longest), CPU, kernel=False, bf16_attention=how).rectangles) == count
    assert on_device(packed(512), CPU, kernel=False).rectangles == ()


@pytest.mark.parametrize(
    ("has_bf16", "has_amx", "path"),
    [
        (True, True, {"bf16": "bf16-flash", "int8": "int8-static-flash"}),
        (True, False, {"bf16": "bf16", "int8": "int8-static-bf16"}),
        (False, False, {"bf16": "fused", "int8": "int8-static"}),
    ],
)
@pytest.mark.parametrize("dtype", ["bf16", "int8"])
def test_backends_of_their_own_use_it_where_the_processor_has_bf16(has_bf16, has_amx, path, dtype, monkeypatch):
    if dtype == "int8" and int8_problem():
        pytest.skip(int8_problem())
    monkeypatch.setattr("engine.compute.torch_backends.has_bf16", lambda: has_bf16)
    monkeypatch.setattr("engine.compute.torch_backends.has_amx", lambda: has_amx)
    used = []
    layer = {"bf16": "fused_layer", "int8": "int8_layer"}[dtype]
    monkeypatch.setattr(
        f"engine.compute.layers.{layer}.attend_in_bf16",
        lambda *given: used.append(given[-1]) or attend_in_bf16(*given),
    )
    module, tokens = make("Bert"), made_up([LONGEST, 30, 30, 7])
    encoder = Encoder(classifier(module), device=CPU, dtype=dtype, budget=4096, longest=LONGEST)
    found = encoder.logits(tokens, encoder.plan(tokens))
    assert encoder.path == path[dtype]
    assert {*used} == ({"flash" if has_amx else "products"} if has_bf16 else set())
    np.testing.assert_allclose(found, alone(make("Bert"), tokens), atol=0.25)


def test_without_bf16_it_says_so(monkeypatch):
    monkeypatch.setattr("engine.compute.torch_backends.has_bf16", lambda: False)
    with pytest.raises(ModelError, match="'bf16-flash' cannot compute Bert.*: this processor has no products in bf16"):
        require_backend("bf16-flash", make("Bert"), Workload(longest=LONGEST, device=CPU, dtype="bf16"))
    with pytest.raises(ModelError, match="'bf16' cannot compute Bert.*: this processor has no products in bf16"):
        require_backend("bf16", make("Bert"), Workload(longest=LONGEST, device=CPU, dtype="bf16"))
    assert "a CPU, and not on cuda" in BF16.unsupported(
        make("Bert"), Workload(longest=LONGEST, device=torch.device("cuda"), dtype="bf16")
    )
