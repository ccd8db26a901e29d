"""The parts of `benchmarks.gpu.run`, each of which can run alone: a setup → figures."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch

from benchmarks.gpu.against_peers import against_peers
from benchmarks.gpu.ceilings import measure_ceilings
from benchmarks.gpu.setup import Setup
from benchmarks.harness.made_texts import LENGTHS, LONGEST
from benchmarks.labelling.peers.peer import one_by_one
from benchmarks.labelling.relabelling import stored_lengths, stored_logits, stored_path
from engine.compute.backend import BOUNDS
from engine.compute.layers.fp8_product import fp8_problem
from engine.compute.torch_backends import FP8


def correctness(setup: Setup, _done: dict[str, Any]) -> dict[str, Any]:
    """The stored logits in each dtype, and transformers' own in fp16, against transformers in fp32, row by row."""
    texts = pq.read_table(setup.texts(setup.exact)).column("text").to_pylist()
    alone = partial(one_by_one, setup.teacher, max_length=LONGEST, device=setup.device)
    truth = alone()(texts)
    figures: dict[str, Any] = {"rows": len(texts), "spread_of_logits": float(truth.std(axis=0).mean())}
    for dtype in ("fp32", "fp16", *(() if _lacks_fp8(setup) else ("fp8",))):
        _, place = setup.label(setup.exact, dtype=dtype)
        figures[dtype] = _differences(stored_logits(place), truth, dtype)
    figures["transformers, fp16"] = _differences(alone(dtype=torch.float16)(texts), truth, "fp16")
    return figures


def _differences(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.float32], dtype: str) -> dict[str, Any]:
    difference, bound = np.abs(logits - truth), {**BOUNDS, **FP8.bounds}[dtype]
    flips = logits.argmax(axis=1) != truth.argmax(axis=1)
    margins = np.abs(truth[:, 0] - truth[:, 1])[flips]
    return {
        "largest_difference": float(np.nanmax(difference)),
        "bound": str(bound),
        "out_of_bound": int(bound.exceeded(logits, truth).sum()),
        "failed": int(np.isnan(logits).any(axis=1).sum()),
        "flips": int(flips.sum()),
        "largest_margin_of_a_flip": float(margins.max(initial=0.0)),
    }


def ceilings(setup: Setup, _done: dict[str, Any]) -> dict[str, Any]:
    """The ceilings of the device."""
    tokens, square, megabytes = (65_536, 8192, 1000) if setup.on_gpu else (256, 256, 10)
    return measure_ceilings(setup.sizes, torch.device(setup.device), tokens=tokens, square=square, megabytes=megabytes)


def label(setup: Setup, done: dict[str, Any], *, workers: int = 1, dtype: str | None = None) -> dict[str, Any]:
    """All rows, with so many workers on the one device."""
    started = time.perf_counter()
    summary, place = setup.label(setup.rows, workers=workers, dtype=dtype)
    wall = time.perf_counter() - started
    lengths = stored_lengths(place)
    operations = setup.sizes.flops(float(lengths.mean()), float((lengths.astype(float) ** 2).mean())) * len(lengths)
    whole = operations / summary.seconds / 1e12
    return {
        "rows": summary.rows_done,
        "failed": summary.failed,
        "shards": summary.shards,
        "tokens": {"mean": round(float(lengths.mean()), 1), "p95": float(np.percentile(lengths, 95)), **LENGTHS},
        "dtype": summary.dtype,
        "path": stored_path(place),
        "devices": summary.devices,
        "seconds": summary.seconds,
        "wall_seconds": round(wall, 1),
        "rows_per_second": summary.rows_per_second,
        "tokens_per_second": summary.tokens_per_second,
        "padding": summary.padding,
        "stages": summary.stages,
        "waiting": summary.waiting,
        "checked": summary.checked,
        "flips": summary.flips,
        "model_tflops": summary.model_tflops,
        "whole_model_tflops": round(whole, 4),
        **_utilisation(summary.model_tflops or 0.0, done.get("ceilings", {}).get(summary.dtype)),
    }


def _utilisation(tflops: float, ceiling: dict[str, float] | None) -> dict[str, float]:
    """Model FLOP/s against the measured products of the same type, if measured."""
    if ceiling is None:
        return {}
    names = {"mfu": "square", "mfu_of_its_shapes": "the model's together"}
    return {name: round(tflops / ceiling[of], 4) for name, of in names.items()}


def two(setup: Setup, done: dict[str, Any]) -> dict[str, Any]:
    """The same with two worker processes on the one device, and the corpus that `label` has made.

    The clock begins when the first of them is ready, so that what the second needs longer to load counts against two.
    """
    figures = label(setup, done, workers=2)
    alone = done.get("label", {}).get("rows_per_second")
    if alone:
        figures["against_one_worker"] = round(figures["rows_per_second"] / alone, 3)
    return figures


def in_fp8(setup: Setup, done: dict[str, Any]) -> dict[str, Any]:
    """The same in 8 bits of floating point, into a store of its own: `train` learns from what `label` has made."""
    if problem := _lacks_fp8(setup):
        return {"lacking": problem}
    figures = label(setup, done, dtype="fp8")
    usual = done.get("label", {})
    if "rows_per_second" in usual:
        figures["against"] = {usual["dtype"]: round(figures["rows_per_second"] / usual["rows_per_second"], 3)}
    return figures


def _lacks_fp8(setup: Setup) -> str | None:
    return fp8_problem(torch.device(setup.device))


PARTS: dict[str, Callable[[Setup, dict[str, Any]], dict[str, Any]]] = {
    "correctness": correctness,
    "ceilings": ceilings,
    "label": label,
    "two": two,
    "fp8": in_fp8,
    "peers": against_peers,
}
"""By name, in the order in which they run; each is given the figures of those that have run, now or earlier."""
