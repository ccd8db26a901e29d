"""A teacher, a device and some texts of a corpus → the dtype of the computation: on a CPU measured, if that pays.

Half precision is twice as fast on one processor and a tenth as fast on another. It is measured once: the card of the
label set keeps it, because another dtype gives other bits.
"""

import copy
import dataclasses
import logging
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Workload
from engine.compute.backends import choose_backend
from engine.compute.cpu.processor import lacks
from engine.compute.device import CPU_BUDGET, default_dtype, limited_threads, worker_processes
from engine.compute.encoder import Encoder
from engine.errors import ModelError
from engine.models.classifier import Classifier
from engine.progress import Tick, silent
from engine.tokens.tokens import Tokens
from store import Store
from store.rows.family_reader import FamilyReader

PILOT_ROWS = 512
LEAST_ROWS = 40 * PILOT_ROWS
"""Rows of the smallest corpus that it is measured for: computing the pilot's three times takes 7 % of the time then."""
MOST_FLIPS = 0.005
"""The share of predictions that another dtype may change and still be chosen unasked."""
_CANDIDATES = ("int8", "bf16")
_GAIN = 1.1  # a dtype that is hardly faster is not worth its rounding
_LOOK_ROWS = 16
"""Rows of a first look at a dtype that the processor lacks."""
_GIVEN_UP = 3.0  # times the seconds of fp32, for these rows; it takes six times as long on a processor with AVX2 alone
_PARTS = 4
_log = logging.getLogger("engine.labelling")


def pilot_texts(store: Store) -> tuple[str, ...]:
    """`PILOT_ROWS` texts of a corpus, drawn at random; none if it is too small for measuring to pay."""
    rows = store.layout.rows
    if rows < LEAST_ROWS:
        return ()
    chosen = np.sort(np.random.default_rng(0).choice(rows, PILOT_ROWS, replace=False))
    pieces = FamilyReader(store, store.corpus.path, ["text"]).read(chosen)
    return tuple(text for piece in pieces for text in piece["text"].to_pylist())


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A dtype, tried on the pilot's rows.

    Attributes:
        rows_per_second: that it computes.
        flips: rows whose prediction is another one than in fp32.
        largest_difference: of a logit to that in fp32.
        is_within: whether the logits are within the bound of its backend.
    """

    rows_per_second: float
    flips: int
    largest_difference: float
    is_within: bool


def choose_dtype(
    model: Classifier,
    device: torch.device,
    texts: tuple[str, ...],
    *,
    max_length: int,
    threads: int,
    tick: Tick = silent,
) -> str:
    """The fastest dtype whose logits are nearly those of fp32; the default of ``device`` if there are no texts.

    Args:
        model: the teacher; it is left as it is.
        device: that will label.
        texts: of the pilot.
        max_length: tokens a row.
        threads: on a CPU, those of each worker.
        tick: told of progress.
    """
    if device.type != "cpu" or not texts:
        return default_dtype(device)
    tokens = model.encoding(max_length).encode(texts)
    with limited_threads(device, threads):
        processes = worker_processes(threads=threads)
        trials = try_dtypes(model, device, tokens, longest=max_length, processes=processes, tick=tick)
    chosen = best_dtype(trials, rows=len(texts))
    _log.info("dtypes, tried on %d rows: %s; %s is taken", len(texts), _shown(trials), chosen)
    return chosen


def try_dtypes(
    model: Classifier,
    device: torch.device,
    tokens: Tokens,
    *,
    longest: int,
    processes: int = 1,
    tick: Tick = silent,
) -> dict[str, Trial]:
    """Compute ``tokens`` in fp32 and in each other dtype that a backend has for the model, taking turns.

    A dtype that the processor lacks, and that is much slower than fp32 for a few rows, is given up: it has no trial.

    Args:
        model: the teacher; it is left as it is.
        device: that will label.
        tokens: of the pilot's rows.
        longest: tokens of the longest row that will be labelled.
        processes: as in `engine.compute.encoder.Encoder`.
        tick: told of progress.
    """
    rows = np.arange(len(tokens.lengths))
    parts = [tokens.some(rows[part::_PARTS]) for part in range(_PARTS)]
    encoders = _encoders(model, device, longest=longest, processes=processes)
    for encoder in encoders.values():  # the first products are prepared
        encoder.logits(parts[0].some(rows[:2]), encoder.plan(parts[0].some(rows[:2])))
    encoders = _promising(encoders, tokens.some(rows[:_LOOK_ROWS]), tick)
    seconds = dict.fromkeys(encoders, 0.0)
    logits: dict[str, list[npt.NDArray[np.float32]]] = {dtype: [] for dtype in encoders}
    for part in parts:
        for dtype, encoder in encoders.items():
            started = time.perf_counter()
            logits[dtype].append(encoder.logits(part, encoder.plan(part), tick=tick))
            seconds[dtype] += time.perf_counter() - started
    exact = np.concatenate(logits["fp32"])
    return {
        dtype: _trial(np.concatenate(logits[dtype]), exact, encoder, seconds[dtype])
        for dtype, encoder in encoders.items()
    }


def _encoders(model: Classifier, device: torch.device, *, longest: int, processes: int) -> dict[str, Encoder]:
    """By dtype, fp32 first; each has weights of its own."""
    encoders: dict[str, Encoder] = {}
    for dtype in ("fp32", *_CANDIDATES):
        own = dataclasses.replace(model, module=copy.deepcopy(model.module))
        try:
            backend = choose_backend(own.module, Workload(longest=longest, device=device, dtype=dtype))
        except ModelError as error:
            _log.debug("%s is not tried: %s", dtype, error)
            continue
        encoders[dtype] = Encoder(
            own,
            device=device,
            dtype=dtype,
            budget=CPU_BUDGET,
            backend=backend,
            longest=longest,
            processes=processes,
        )
    return encoders


def _promising(encoders: dict[str, Encoder], few: Tokens, tick: Tick) -> dict[str, Encoder]:
    """Those that are left, if what the processor lacks takes `_GIVEN_UP` times as long as fp32 for a few rows."""
    lacking = [dtype for dtype in encoders if lacks(dtype)]
    seconds = {}
    for dtype in ("fp32", *lacking) if lacking else ():
        started = time.perf_counter()
        encoders[dtype].logits(few, encoders[dtype].plan(few), tick=tick)
        seconds[dtype] = time.perf_counter() - started
    given_up = [dtype for dtype in lacking if seconds[dtype] > _GIVEN_UP * seconds["fp32"]]
    for dtype in given_up:
        _log.info(
            "%s is given up: %d rows take %.2g s, and %.2g s in fp32",
            *(dtype, len(few.lengths), seconds[dtype], seconds["fp32"]),
        )
    return {dtype: encoder for dtype, encoder in encoders.items() if dtype not in given_up}


def _trial(logits: npt.NDArray[np.float32], exact: npt.NDArray[np.float32], encoder: Encoder, seconds: float) -> Trial:
    difference = np.abs(logits - exact)
    return Trial(
        rows_per_second=len(exact) / seconds,
        flips=int((logits.argmax(axis=1) != exact.argmax(axis=1)).sum()),
        largest_difference=float(difference.max()),
        is_within=not encoder.bound.exceeded(logits, exact).any(),
    )


def best_dtype(trials: dict[str, Trial], *, rows: int) -> str:
    """The fastest of ``trials``, on so many rows, that may be chosen unasked."""
    least = _GAIN * trials["fp32"].rows_per_second
    good = {
        dtype: trial.rows_per_second
        for dtype, trial in trials.items()
        if trial.is_within and trial.flips <= MOST_FLIPS * rows and trial.rows_per_second >= least
    }
    return max(good, key=good.__getitem__, default="fp32")


def _shown(trials: dict[str, Trial]) -> str:
    return ", ".join(
        f"{dtype} {trial.rows_per_second:,.0f} rows/s"
        + ("" if dtype == "fp32" else f" ({trial.flips} flips, off by {trial.largest_difference:.2g} at most)")
        for dtype, trial in trials.items()
    )
