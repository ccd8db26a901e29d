import numpy as np
import pytest
import torch

from engine.compute.transfer import Transfers

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def give(outputs, device, *, batches=9):
    """Batches of growing size, each of whose numbers says which it is."""
    for number in range(batches):
        outputs.add(lambda number=number: torch.full((number + 1, 2), float(number), device=device))
        yield


@pytest.mark.parametrize("free_after", [None, 0, 4])
def test_batches_come_in_the_order_in_which_they_were_added(free_after):
    outputs = Transfers(CPU)
    for number, _ in enumerate(give(outputs, CPU)):
        if number == free_after:
            outputs.free()
    arrays = outputs.arrays()
    assert [(len(array), *set(array.ravel())) for array in arrays] == [(number + 1, number) for number in range(9)]


def test_the_device_is_busy_while_it_computes():
    outputs = Transfers(CPU)
    assert outputs.busy_seconds == 0
    seen = [outputs.busy_seconds for _ in give(outputs, CPU)]
    assert all(before < after for before, after in zip([0, *seen], seen, strict=False))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_outputs_are_single_precision(dtype):
    outputs = Transfers(CPU)
    outputs.add(lambda: torch.tensor([[1.5, -2.0]], dtype=dtype))
    (array,) = outputs.arrays()
    assert (array.dtype, array.tolist()) == (np.float32, [[1.5, -2.0]])


def test_a_batch_that_fails_leaves_those_before():
    outputs = Transfers(CPU)
    outputs.add(lambda: torch.zeros(1, 2))
    with pytest.raises(ZeroDivisionError):
        outputs.add(lambda: 1 / 0)
    outputs.add(lambda: torch.ones(1, 2))
    assert [array.tolist() for array in outputs.arrays()] == [[[0, 0]], [[1, 1]]]


def test_nothing_added_gives_nothing():
    assert Transfers(CPU).arrays() == []


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("free_after", [None, 0, 4])
def test_a_gpus_batches_come_in_their_order_and_with_its_time(free_after):
    device = torch.device("cuda")
    outputs = Transfers(device)
    for number, _ in enumerate(give(outputs, device)):
        if number == free_after:
            outputs.free()
    arrays = outputs.arrays()
    assert [(len(array), *set(array.ravel())) for array in arrays] == [(number + 1, number) for number in range(9)]
    assert outputs.busy_seconds > 0
