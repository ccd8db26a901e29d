"""The ceilings of a device: matrix products of the shapes that a model uses, and copies. Measured, not read."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.harness.made_models import Shape
from engine.compute.device import DTYPES

_TIMES = 5


def seconds_of(work: Callable[[], Any], device: torch.device, *, inside: int) -> float:
    """Median of a few times of ``work``, done ``inside`` times in a row so that launching it does not count."""
    times = []
    for _ in range(_TIMES + 1):
        synchronise(device)
        started = time.perf_counter()
        for _ in range(inside):
            work()
        synchronise(device)
        times.append((time.perf_counter() - started) / inside)
    return statistics.median(times[1:])


def synchronise(device: torch.device) -> None:
    """Wait until ``device`` has nothing to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_ceilings(shape: Shape, device: torch.device, *, tokens: int, square: int, megabytes: int) -> dict[str, Any]:
    """TFLOP/s of products and GB/s of copies.

    Args:
        shape: of the model.
        device: what is measured.
        tokens: of a batch: rows of the products that the model does.
        square: side of a large square product.
        megabytes: that are copied.
    """
    products = {
        "query, key and value": (tokens, shape.width, 3 * shape.width),
        "attention's output": (tokens, shape.width, shape.width),
        "feed-forward, in": (tokens, shape.width, shape.inner),
        "feed-forward, out": (tokens, shape.inner, shape.width),
        "square": (square, square, square),
    }
    return {
        **{name: _products(products, dtype, device) for name, dtype in DTYPES.items()},
        "copies_gb_per_second": _copies(device, megabytes),
        "tokens": tokens,
        "square": square,
    }


def _products(products: dict[str, tuple[int, int, int]], dtype: torch.dtype, device: torch.device) -> dict[str, float]:
    """TFLOP/s of each, and of those of the model together: all their operations in all their time."""
    tflops, operations, seconds = {}, 0.0, 0.0
    for name, (rows, inner, columns) in products.items():
        left = torch.randn(rows, inner, device=device).to(dtype)
        right = torch.randn(inner, columns, device=device).to(dtype)
        out = torch.empty(rows, columns, device=device, dtype=dtype)

        def multiply(left: Any = left, right: Any = right, out: Any = out) -> None:
            torch.mm(left, right, out=out)

        took, count = seconds_of(multiply, device, inside=10), 2.0 * rows * inner * columns
        tflops[name] = round(count / took / 1e12, 4)
        if name != "square":
            operations, seconds = operations + count, seconds + took
    return {**tflops, "the model's together": round(operations / seconds / 1e12, 4)}


def _copies(device: torch.device, megabytes: int) -> dict[str, float]:
    """GB/s; inside the device, bytes read and bytes written both count."""
    size = megabytes * 1_000_000
    host, there = torch.ones(size, dtype=torch.uint8), torch.empty(size, dtype=torch.uint8, device=device)
    other = torch.empty_like(there)
    copies: dict[str, tuple[Callable[[], Any], int]] = {
        "host to device": (lambda: there.copy_(host), 1),
        "device to device": (lambda: other.copy_(there), 2),
    }
    if device.type == "cuda":
        pinned = host.pin_memory()
        copies["host to device, pinned"] = (lambda: there.copy_(pinned, non_blocking=True), 1)
    return {
        name: round(times * size / seconds_of(copy, device, inside=3) / 1e9, 2)
        for name, (copy, times) in copies.items()
    }
