import pytest
import torch

from engine.compute.layers.dropout import dropped, drops_all

DTYPES = [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_of_the_values_is_dropped_and_the_mean_stays(dtype, share):
    torch.manual_seed(3)
    found = dropped(torch.ones(999, 1001, dtype=dtype), share)
    assert (found == 0).float().mean().item() == pytest.approx(share, abs=0.003)
    assert found.float().mean().item() == pytest.approx(1, abs=0.012)
    assert len(found.unique()) == 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_go_where_values_went(dtype):
    x = torch.full((7, 5, 3), 2.0, dtype=dtype, requires_grad=True)
    found = dropped(x, 0.4)
    found.sum().backward()
    torch.testing.assert_close(x.grad * 2, found.detach())


def test_the_state_of_torchs_generator_alone_says_what_is_dropped():
    x = torch.ones(64, 33)
    torch.manual_seed(5)
    first, second = dropped(x, 0.5), dropped(x, 0.5)
    torch.manual_seed(5)
    torch.testing.assert_close(dropped(x, 0.5), first)
    torch.testing.assert_close(dropped(x, 0.5), second)
    assert not torch.equal(first, second)


def test_neighbours_are_dropped_independently():
    torch.manual_seed(7)
    kept = (dropped(torch.ones(1 << 16, 8), 0.5) != 0).float()
    together = torch.corrcoef(kept.T) - torch.eye(8)
    assert together.abs().max().item() < 0.02


@pytest.mark.parametrize("share", [0.0, 1e-9])
def test_nothing_is_dropped_without_a_share(share):
    x = torch.ones(3, 4)
    torch.testing.assert_close(dropped(x, share), x)
    assert dropped(torch.ones(0, 4), 0.5).shape == (0, 4)


def test_all_is_dropped_where_the_share_is_one():
    assert not dropped(torch.ones(3, 4), 1.0).any()


def test_a_share_that_rounds_to_all_drops_all():
    assert drops_all(1.0)
    assert drops_all(0.999995)
    assert not drops_all(0.9999)
    assert not dropped(torch.ones(3, 4), 0.999995).any()
