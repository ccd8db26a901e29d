"""The ceilings of a device: matrix products of the shapes that a model uses, and copies. Measured, not read."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.harness.made_models import Shape
from engine.compute.device import DTYPES
from engine.compute.layers.fp8_product import fp8_problem, fp8_rounded, fp8_weight, multiplied

_FLOATS = ("fp32", "fp16", "bf16")
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
        **{name: _products(products, partial(_product, DTYPES[name], device), device) for name in _FLOATS},
        **({} if fp8_problem(device) else {"fp8": _products(products, partial(_fp8_product, device), device)}),
        "copies_gb_per_second": _copies(device, megabytes),
        "tokens": tokens,
        "square": square,
    }


def _products(
    products: dict[str, tuple[int, int, int]], make: Callable[[int, int, int], Callable[[], Any]], device: torch.device
) -> dict[str, float]:
    """TFLOP/s of each, and of those of the model together: all their operations in all their time.

    Args:
        products: rows, inner numbers and columns of each.
        make: the work of one, which is timed.
        device: that does it.
    """
    tflops, operations, seconds = {}, 0.0, 0.0
    for name, (rows, inner, columns) in products.items():
        took = seconds_of(make(rows, inner, columns), device, inside=10)
        count = 2.0 * rows * inner * columns
        tflops[name] = round(count / took / 1e12, 4)
        if name != "square":
            operations, seconds = operations + count, seconds + took
    return {**tflops, "the model's together": round(operations / seconds / 1e12, 4)}


def _product(dtype: torch.dtype, device: torch.device, rows: int, inner: int, columns: int) -> Callable[[], Any]:
    left = torch.randn(rows, inner, device=device).to(dtype)
    right = torch.randn(inner, columns, device=device).to(dtype)
    out = torch.empty(rows, columns, device=device, dtype=dtype)
    return lambda: torch.mm(left, right, out=out)


def _fp8_product(device: torch.device, rows: int, inner: int, columns: int) -> Callable[[], Any]:
    left, right = torch.randn(rows, inner, device=device).half(), torch.randn(columns, inner, device=device)
    weight = fp8_weight(right, float(left.abs().max()))
    rounded = fp8_rounded(left, weight)
    return lambda: multiplied(rounded, weight, None, dtype=torch.float16)


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
