"""A device → the speed of one large matrix product on it, measured: an upper bound for a model."""

import time
from functools import cache, partial

import torch

from engine.compute.cpu.int8 import Range, StaticProduct
from engine.compute.device import DTYPES
from engine.compute.layers.fp8_product import fp8_rounded, fp8_weight, multiplied
from engine.compute.layers.linear import product

_SIZE = {"cpu": 1024, "cuda": 8192}
_TIMES = 4


@cache
def measure_ceiling(device: torch.device, dtype: str) -> float:
    """Floating-point operations a second of a square product; the best of a few. Measured once a process.

    Args:
        device: the device; a CPU computes with the threads that torch has now.
        dtype: of the product: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
    """
    size = _SIZE[device.type]
    one, other = (torch.randn(size, size, device=device).to(DTYPES[dtype]) for _ in range(2))
    compute = partial(product, one, other, None)
    if dtype == "int8":
        static = StaticProduct(other, None, Range.over(float(one.min()), float(one.max())))
        compute = partial(static, static.rounded(one))
    elif dtype == "fp8":
        weight = fp8_weight(other, float(one.abs().max()))
        compute = partial(multiplied, fp8_rounded(one, weight), weight, None, dtype=one.dtype)
    seconds = []
    with torch.inference_mode():
        for _ in range(_TIMES):
            started = time.perf_counter()
            compute()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)
