"""A model, its ONNX files and the user's own rows → how far each is from the model, and how fast each is beside it.

All are given the same token ids. For their speeds they take turns, part by part, so that a busy machine is as busy for
each of them.
"""

import copy
import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Workload
from engine.compute.backends import choose_backend
from engine.compute.device import CPU_BUDGET, restored_threads, worker_processes
from engine.compute.encoder import Encoder
from engine.errors import ModelError
from engine.models.batching import padded_logits
from engine.models.classifier import Classifier
from engine.progress import Tick
from engine.tokens.tokens import Tokens

TORCH, ENGINE_INT8 = "transformers", "engine int8"
TIMED_ROWS = 256
_PARTS = 4
_BATCH = 32

Logits = npt.NDArray[np.float32]
Compute = Callable[[Tokens], Logits]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One way to compute, against the model's own.

    Attributes:
        rows: that were compared.
        flips: rows whose class is another one.
        largest_difference: of a logit.
        accuracy: share of right classes; None without labels.
        rows_per_second: on the rows that were timed; None if it was not timed.
    """

    rows: int
    flips: int
    largest_difference: float
    accuracy: float | None = None
    rows_per_second: float | None = None

    @property
    def agreement(self) -> float:
        """Share of rows with the model's class."""
        return 1 - self.flips / self.rows


def speeds(ways: Mapping[str, Compute], tokens: Tokens, *, tick: Tick) -> dict[str, float]:
    """Rows a second of each of ``ways``, on the first rows of ``tokens``."""
    rows = np.arange(min(TIMED_ROWS, len(tokens.lengths)))
    parts = [tokens.some(part) for part in np.array_split(rows, _PARTS) if len(part)]
    names, seconds = [*ways], dict.fromkeys(ways, 0.0)
    for compute in ways.values():  # what is prepared once is prepared
        compute(tokens.some(rows[:2]))
    for number, part in enumerate(parts):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            ways[name](part)
            seconds[name] += time.perf_counter() - started
        tick("measuring speeds", number + 1, len(parts))
    return {name: round(len(rows) / seconds[name], 1) for name in names}


def compared_with(own: Logits, logits: Logits, labels: npt.NDArray[np.int64] | None) -> Compared:
    """How far (rows, classes) ``logits`` are from the model's ``own``."""
    classes = logits.argmax(axis=1)
    return Compared(
        rows=len(own),
        flips=int((classes != own.argmax(axis=1)).sum()),
        largest_difference=float(f"{np.abs(logits - own).max():.4g}"),
        accuracy=None if labels is None else round(float((classes == labels).mean()), 5),
    )


def by_transformers(model: Classifier, *, threads: int) -> Compute:
    """Its own code with SDPA: rows sorted by length, longest first, in padded batches of 32."""

    def compute(tokens: Tokens) -> Logits:
        order = np.argsort(-tokens.lengths, kind="stable")
        with torch.inference_mode(), restored_threads():
            torch.set_num_threads(threads)
            batches = [
                padded_logits(model.module, tokens, order[start : start + _BATCH]).float().numpy()
                for start in range(0, len(order), _BATCH)
            ]
        logits = np.concatenate(batches)
        logits[order] = logits.copy()
        return logits

    return compute


def by_engine_int8(model: Classifier, *, longest: int) -> Compute | None:
    """This engine in int8, as `engine predict` computes on a CPU; None if this processor or the model has no int8."""
    cpu = torch.device("cpu")
    own = dataclasses.replace(model, module=copy.deepcopy(model.module))
    try:
        backend = choose_backend(own.module, Workload(longest=longest, device=cpu, dtype="int8"))
    except ModelError:
        return None
    processes = worker_processes(threads=1)
    more: dict[str, Any] = {"dtype": "int8", "budget": CPU_BUDGET, "backend": backend, "longest": longest}
    encoder = Encoder(own, device=cpu, processes=processes, **more)

    def compute(tokens: Tokens) -> Logits:
        with restored_threads():
            torch.set_num_threads(1)
            return encoder.logits(tokens, encoder.plan(tokens))

    return compute
