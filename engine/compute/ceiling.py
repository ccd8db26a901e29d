"""A device → the speed of one large matrix product on it, measured: an upper bound for a model."""

import time
from functools import cache

import torch

from engine.compute.linear import product

_SIZE = {"cpu": 1024, "cuda": 8192}
_TIMES = 4


@cache
def measure_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a square product; the best of a few. Measured once a process.

    Args:
        device: the device; a CPU computes with the threads that torch has now.
        dtype: of the factors.
    """
    size = _SIZE[device.type]
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    with torch.inference_mode():
        for _ in range(_TIMES):
            started = time.perf_counter()
            product(one, other, None)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)
