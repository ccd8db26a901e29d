"""The parts of `benchmarks.gpu.run`, each of which can run alone: a setup → figures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch

from benchmarks.gpu.ceilings import measure_ceilings
from benchmarks.harness.made_models import SHAPES, Shape, make_teacher, make_tokenizer
from benchmarks.harness.made_texts import LENGTHS, LONGEST, made_words, write_made_texts
from benchmarks.harness.rounds import compare, run_rounds
from benchmarks.labelling import peers
from benchmarks.labelling.relabelling import label_again, stored_lengths, stored_logits, stored_path
from engine.compute.backend import BOUNDS
from engine.compute.layers.fp8_product import fp8_problem
from engine.compute.torch_backends import FP8
from engine.labelling.summary import LabelSummary

OURS = "engine"
_WORDS = 30_000
_SORTED_SIZES = (64, 128, 256)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The setup of a measurement.

    Attributes:
        work: a folder; what is there already is used again.
        shape: of the teacher, a name in `benchmarks.harness.made_models.SHAPES`.
        device: ``cuda:0`` or ``cpu``.
        rows: to label.
        sample: rows that the peers label.
        exact: rows that are compared one at a time.
        rounds: of the peers.
    """

    work: Path
    shape: str
    device: str
    rows: int
    sample: int
    exact: int
    rounds: int

    @property
    def sizes(self) -> Shape:
        """Of the teacher."""
        return SHAPES[self.shape]

    @property
    def on_gpu(self) -> bool:
        """Whether the device is one."""
        return self.device != "cpu"

    @property
    def dtype(self) -> str:
        """In which the device labels."""
        return "fp16" if self.on_gpu else "fp32"

    @property
    def teacher(self) -> Path:
        """The made classifier; made where it is not there."""
        folder = self.work / self.shape
        if not (folder / "tokenizer.json").exists():
            make_teacher(folder, self.sizes, make_tokenizer(made_words(_WORDS)))
        return folder

    def texts(self, rows: int) -> Path:
        """A file of as many texts; made where it is not there."""
        file = self.work / f"texts-{rows}.parquet"
        if not file.exists():
            self.work.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".part")
            write_made_texts(unfinished, rows=rows, words=made_words(_WORDS))
            unfinished.rename(file)
        return file

    def label(self, rows: int, *, workers: int = 1, dtype: str | None = None) -> tuple[LabelSummary, Path]:
        """Label as many texts; the summary, and where the store is."""
        dtype = dtype or self.dtype
        place = self.work / f"{self.shape}-{rows}{'-fp8' if dtype == 'fp8' else ''}.store"
        devices, shards = (self.device,) * workers, None if rows > 10_000 else 4
        summary = label_again(place, self.teacher, inputs=self.texts(rows), devices=devices, shards=shards, dtype=dtype)
        return summary, place


def correctness(setup: Setup, _done: dict[str, Any]) -> dict[str, Any]:
    """The stored logits in each dtype, and transformers' own in fp16, against transformers in fp32, row by row."""
    texts = pq.read_table(setup.texts(setup.exact)).column("text").to_pylist()
    alone = partial(peers.one_by_one, setup.teacher, max_length=LONGEST, device=setup.device)
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


def against_peers(setup: Setup, _done: dict[str, Any]) -> dict[str, Any]:
    """`engine.label` and each peer on the same sample, in turn."""
    texts = pq.read_table(setup.texts(setup.sample)).column("text").to_pylist()
    size, trials = _best_size(setup, texts)
    contenders = _contenders(setup, size)
    for contender in contenders.values():
        contender(texts[:256])
    contestants: dict[str, Callable[[], float]] = {OURS: lambda: setup.label(setup.sample)[0].seconds}
    for name, contender in contenders.items():
        contestants[name] = partial(peers.seconds_of, contender, texts)
    contestants[OURS]()
    seconds = run_rounds(contestants, setup.rounds)
    return {
        "rows": len(texts),
        "includes": {
            OURS: "reading, tokenising, computing, checking, writing, committing",
            "peers": "tokenising, computing",
        },
        "sorted_batch_size": {"best": size, "seconds": trials},
        "seconds": seconds,
        "figures": compare(seconds, rows=len(texts), ours=OURS),
    }


def _contenders(setup: Setup, size: int) -> dict[str, peers.Peer]:
    dtype = torch.float16 if setup.on_gpu else torch.float32
    made = {
        "pipeline(batch_size=32), fp32": peers.pipeline_peer(setup.teacher, max_length=LONGEST, device=setup.device),
        f"transformers, sorted, batches of {size}, {setup.dtype}": peers.sorted_peer(
            setup.teacher, max_length=LONGEST, size=size, device=setup.device, dtype=dtype
        ),
    }
    if setup.on_gpu:
        made["pipeline(batch_size=32), fp16"] = peers.pipeline_peer(
            setup.teacher, max_length=LONGEST, device=setup.device, dtype=dtype
        )
    return made


def _best_size(setup: Setup, texts: Sequence[str]) -> tuple[int, dict[int, float]]:
    """The batch size with which sorted batches are fastest, and the seconds of each: the second of two times."""
    seconds = {}
    for size in _SORTED_SIZES:
        dtype = torch.float16 if setup.on_gpu else torch.float32
        peer = peers.sorted_peer(setup.teacher, max_length=LONGEST, size=size, device=setup.device, dtype=dtype)
        seconds[size] = round([peers.seconds_of(peer, texts) for _ in range(2)][-1], 3)
    return min(seconds, key=lambda size: seconds[size]), seconds


PARTS: dict[str, Callable[[Setup, dict[str, Any]], dict[str, Any]]] = {
    "correctness": correctness,
    "ceilings": ceilings,
    "label": label,
    "two": two,
    "fp8": in_fp8,
    "peers": against_peers,
}
"""By name, in the order in which they run; each is given the figures of those that have run, now or earlier."""
