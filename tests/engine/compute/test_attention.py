import numpy as np
import pytest
import torch
from varlen import plain_attention, varlen_attn

from engine.compute.attention import attend, attend_first, has_kernel, on_device
from engine.compute.cpu.trained_attention import attend_trained
from engine.compute.packing import fill, pack

CPU = torch.device("cpu")
LENGTHS = [[1], [5], [9, 9, 9], [40, 17, 17, 3, 3, 3, 1], [3, 40, 3], [2, 1, 2, 1]]


def batch(lengths):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pack(np.arange(offsets[-1]) % 90, offsets, np.arange(len(lengths)))


def tensors(tokens, *, seed=0):
    """Query, key and value: (tokens, 4 heads, width 8)."""
    made = torch.randn(3, tokens, 4, 8, generator=torch.Generator().manual_seed(seed)) * 2
    return made.unbind()


def row_by_row(query, key, value, packing, **options):
    edges = packing.bounds[: packing.rows + 1].tolist()
    rows = [slice(*edges[number : number + 2]) for number in range(packing.rows)]
    return [plain_attention(query[row], key[row], value[row], **options) for row in rows]


@pytest.fixture(params=[False, True], ids=["without kernel", "with kernel"])
def kernel(request, monkeypatch):
    monkeypatch.setattr("engine.compute.attention.varlen_attn", varlen_attn)
    return request.param


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("window", [None, 1, 2, 9, 39, 40, 41])
def test_tokens_attend_to_their_row_alone(kernel, lengths, window):
    packing = batch(lengths)
    query, key, value = tensors(len(packing.ids))
    ours = attend(query, key, value, on_device(packing, CPU, kernel=kernel), window=window)
    expected = torch.cat(row_by_row(query, key, value, packing, window=window))
    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_first_tokens_attend_to_their_row_alone(kernel, lengths):
    packing = batch(lengths)
    query, key, value = tensors(len(packing.ids))
    rows = on_device(packing, CPU, kernel=kernel)
    ours = attend_first(query[rows.firsts], key, value, rows)
    expected = torch.stack([row[0] for row in row_by_row(query, key, value, packing)])
    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=1e-5)


def test_a_scale_is_that_of_the_products(kernel):
    packing = batch([7, 4, 4])
    query, key, value = tensors(15)
    ours = attend(query, key, value, on_device(packing, CPU, kernel=kernel), scale=0.7)
    torch.testing.assert_close(ours, torch.cat(row_by_row(query, key, value, packing, scale=0.7)))


@pytest.mark.parametrize("window", [None, 3])
def test_tokens_of_no_row_change_nothing(kernel, window):
    packing = batch([9, 9, 4])
    full = fill(packing, tokens=40, rows=8)
    query, key, value = (torch.cat([made, made.new_full((18, 4, 8), float("nan"))]) for made in tensors(22))
    rows = on_device(full, CPU, kernel=kernel, longest=40)
    ours = attend(query, key, value, rows, window=window)
    first = attend_first(query[rows.firsts], key, value, rows)
    expected = row_by_row(query, key, value, full, window=window)
    assert (len(ours), len(first)) == (40, 8)
    torch.testing.assert_close(ours[:22], torch.cat(expected), atol=2e-6, rtol=1e-5)
    alone = torch.stack([row[0] for row in row_by_row(query, key, value, full)])
    torch.testing.assert_close(first[:3], alone, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("changed", ["key", "value"])
def test_a_row_does_not_depend_on_its_neighbours(kernel, changed):
    packing = batch([6, 5, 5, 2])
    parts = dict(zip(("query", "key", "value"), tensors(18), strict=True))
    rows = on_device(packing, CPU, kernel=kernel)
    before = attend(**parts, rows=rows)
    parts[changed] = parts[changed].clone()
    parts[changed][6:11] = 1e4
    after = attend(**parts, rows=rows)
    assert torch.equal(before[:6], after[:6])
    torch.testing.assert_close(before[11:], after[11:], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(before[6:11], after[6:11])


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("window", [None, 2, 40])
def test_attention_with_dropout_is_the_same_but_for_what_is_dropped(monkeypatch, lengths, window):
    monkeypatch.setattr("engine.compute.attention.dropped", lambda weights, share: weights)
    packing = batch(lengths)
    query, key, value = tensors(len(packing.ids))
    ours = attend(query, key, value, on_device(packing, CPU, kernel=False), window=window, dropout=0.5)
    expected = torch.cat(row_by_row(query, key, value, packing, window=window))
    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=1e-5)


def test_weights_that_are_dropped_leave_the_mean_of_the_outputs():
    packing = batch([6, 6])
    query, key, value = tensors(12)
    rows = on_device(packing, CPU, kernel=False)
    many = torch.stack([attend(query, key, value, rows, dropout=0.3) for _ in range(4000)])
    torch.testing.assert_close(many.mean(0), attend(query, key, value, rows), atol=0.15, rtol=0)


def test_dropout_drops_weights_where_there_is_no_kernel():
    torch.manual_seed(0)
    packing = batch([30])
    query, key, value = tensors(30)
    rows = on_device(packing, CPU, kernel=False)
    assert not torch.allclose(attend(query, key, value, rows, dropout=0.5), attend(query, key, value, rows))


def test_rows_keep_a_bound_that_is_given():
    packing = batch([4, 2])
    assert on_device(packing, CPU, kernel=True).longest == 4
    assert on_device(packing, CPU, kernel=True, longest=64).longest == 64


@pytest.mark.parametrize(
    ("capability", "dtype", "there"),
    [
        ((8, 0), torch.float16, True),
        ((9, 0), torch.bfloat16, True),
        ((7, 5), torch.float16, False),
        ((9, 0), torch.float32, False),
    ],
)
def test_the_kernel_needs_ampere_and_sixteen_bits(monkeypatch, capability, dtype, there):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_kernel(torch.device("cuda"), dtype) is there
    assert not has_kernel(CPU, dtype)


@pytest.fixture
def trained(monkeypatch):
    """How many times `attend_trained` was called."""
    calls = []

    def counted(*tensors, **options):
        calls.append(options)
        return attend_trained(*tensors, **options)

    monkeypatch.setattr("engine.compute.attention.attend_trained", counted)
    return calls


def autocast_rows(packing):
    with torch.autocast("cpu", torch.bfloat16):
        return on_device(packing, CPU, kernel=False)


@pytest.mark.parametrize(("window", "taken"), [(None, True), (40, True), (9, False)])
@pytest.mark.parametrize("lengths", LENGTHS[3:5], ids=str)
def test_in_training_in_bf16_tokens_attend_to_their_row_alone(lengths, window, taken, trained):
    packing = batch(lengths)
    filled = fill(packing, tokens=len(packing.ids) + 5, rows=packing.rows)
    query, key, value = tensors(len(filled.ids))
    ours = attend(query, key, value, autocast_rows(filled), window=window)
    expected = torch.cat(row_by_row(query, key, value, packing, window=window))
    assert (ours[: len(expected)].float() - expected).norm() < 0.02 * expected.norm()
    assert not ours[len(expected) :].any()
    assert bool(trained) is taken


def test_in_training_in_bf16_first_tokens_attend_to_their_row_alone(trained):
    packing = batch(LENGTHS[3])
    query, key, value = tensors(len(packing.ids))
    rows = autocast_rows(packing)
    ours = attend_first(query[rows.firsts], key, value, rows)
    expected = torch.stack([row[0] for row in row_by_row(query, key, value, packing)])
    assert (ours.float() - expected).norm() < 0.02 * expected.norm()
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("length", "dropout", "taken"), [(512, 0.0, True), (513, 0.0, False), (513, 0.1, True), (9, 1.0, False)]
)
def test_weights_are_kept_for_the_gradients_only_where_that_pays(length, dropout, taken, trained):
    packing = batch([length])
    query, key, value = tensors(length)
    ours = attend(query, key, value, autocast_rows(packing), dropout=dropout)
    assert bool(trained) is taken
    assert bool(ours.any()) is (dropout < 1)


def test_nothing_is_kept_for_gradients_that_nobody_asks_for(trained):
    packing = batch([7])
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        attend(*tensors(7), on_device(packing, CPU, kernel=False))
    attend(*tensors(7), on_device(packing, CPU, kernel=False))
    assert not trained
