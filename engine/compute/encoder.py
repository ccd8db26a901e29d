"""Planned batches of token ids → logits, and single rows in fp32: a teacher or student that labels or is evaluated.

Batches are computed by a backend. Single rows are computed by transformers' own code, so that a backend can be checked.
"""

import logging
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Backend, Bound, Workload
from engine.compute.backends import choose_backend
from engine.compute.ceiling import measure_ceiling
from engine.compute.cpu.forked import can_fork, compute_forked, fitting
from engine.compute.cpu.memory import keep_memory
from engine.compute.device import DTYPES, limited_threads
from engine.compute.transfer import Transfers
from engine.errors import ModelError
from engine.models.batching import batching_of, padded_logits, vocabulary_size
from engine.models.classifier import Classifier, load_classifier
from engine.models.flops import model_flops
from engine.models.probe import settle_length
from engine.progress import Tick, silent
from engine.tokens.batches import Plan, restore
from engine.tokens.tokens import Tokens, made_up_tokens

_log = logging.getLogger("engine.labelling")
FLOPS_EACH = 20e9
"""Operations that a further process pays for, some 0.2 s of one core: to fork it takes 10 to 50 ms."""


class Encoder:
    """A classifier on a device, ready to compute.

    Args:
        model: the classifier; its module is moved and cast.
        device: where it computes.
        dtype: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        budget: tokens a batch, including those of padding.
        backend: computes batches; chosen here if None.
        longest: tokens of the longest row; as many as the model's encoding gives if None.
        processes: on a CPU, those that compute batches side by side, with one thread each, if that pays and memory
            is enough for them; this one is among them. The logits are those of one process with one thread.

    Attributes:
        backend: computes batches; after a warm-up, the one that it fell back to, if it did.
        splits: how often a batch was split because memory ran out.
        busy_seconds: for how long the device computed.
    """

    def __init__(
        self,
        model: Classifier,
        *,
        device: torch.device,
        dtype: str = "fp32",
        budget: int,
        backend: Backend | None = None,
        longest: int | None = None,
        processes: int = 1,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.budget = budget
        self._longest = longest or model.encoding().max_length
        workload = Workload(longest=self._longest, device=device, dtype=dtype)
        self.backend = backend or choose_backend(model.module, workload)
        self.splits = 0
        self.busy_seconds = 0.0
        self._model = model
        self._processes = 1
        if device.type == "cpu":
            keep_memory()
            self._processes = fitting(processes) if processes > 1 and can_fork() else 1
        if self.backend.pads:
            settle_length(model.module, self._longest)
        self._module: Any = model.module.to(device=device, dtype=DTYPES[dtype]).eval()
        self._forward = self.backend.make(self._module, budget=budget, longest=self._longest)
        self._progress: Callable[[], None] = lambda: None
        self._forward.on_layer(lambda: self._progress())
        self._exact: Any = None

    @property
    def path(self) -> str:
        """Name of the backend, as records have it."""
        return self.backend.name

    @property
    def bound(self) -> Bound:
        """How far the logits of batches may be off."""
        return self.backend.bounds[self.dtype]

    def warm_up(self) -> None:
        """Compute batches of made-up tokens, and a single row: all compiling, loading and measuring is done then."""
        tokens = made_up_tokens(
            2 * self.budget,
            longest=self._longest,
            vocabulary=vocabulary_size(self._module),
            frame=batching_of(self._module).frame,
        )
        self.logits(tokens, self.plan(tokens))
        self.exact_logits(tokens, 0)
        self.ceiling()
        self.backend = self.backend.in_effect()
        self.busy_seconds, self.splits, self._forward.fits = 0.0, 0, self._forward.budget

    def plan(self, tokens: Tokens) -> Plan:
        """The batches in which `logits` computes ``tokens``."""
        return self._forward.plan_rows(tokens, np.arange(len(tokens.lengths)))

    def computed_tokens(self, tokens: Tokens, batches: Plan) -> int:
        """Tokens that ``batches`` compute, padding included."""
        return self._forward.computed_tokens(batches, tokens.lengths)

    def ceiling(self) -> float:
        """Floating-point operations a second that the device reaches at most."""
        return measure_ceiling(self.device, self.dtype) * self._processes

    def flops(self, tokens: Tokens) -> float:
        """Floating-point operations that ``tokens`` take, padding not counted; a product and a sum are two.

        Matrix products and attention of the layers, as Kaplan et al. (2020) count, but for both directions; of the last
        layer the part that the backend computes.
        """
        return model_flops(self._module, tokens.lengths, first_only=self.backend.first_only)

    def logits(self, tokens: Tokens, batches: Plan, *, tick: Tick = silent) -> npt.NDArray[np.float32]:
        """(rows, classes) float32, in the order of ``tokens``; computed batch by batch.

        Raises:
            ModelError: a single row does not fit into memory.
        """
        if (others := self._worthwhile(tokens, batches) - 1) > 0:
            return restore(batches, [self._side_by_side(tokens, batches, others, tick)])
        outputs = Transfers(self.device)
        done = 0
        self._progress = lambda: tick("computing logits", done, len(tokens.truncated))
        for number, batch in enumerate(batches):
            self._compute_noted(tokens, batches, number, outputs)
            done += len(batch)
            self._progress()
        computed = outputs.arrays()
        self.busy_seconds += outputs.busy_seconds
        return restore(batches, computed) if computed else np.empty((0, len(self._model.classes)), np.float32)

    def _worthwhile(self, tokens: Tokens, batches: Plan) -> int:
        """In how many processes to compute ``batches``."""
        most = min(self._processes, len(batches))
        return most if most < 2 else min(most, int(self.flops(tokens) / FLOPS_EACH))

    def _side_by_side(self, tokens: Tokens, batches: Plan, others: int, tick: Tick) -> npt.NDArray[np.float32]:
        """The logits of ``batches``, one after the other, computed with so many other processes."""

        def compute(number: int, progress: Callable[[], None]) -> npt.NDArray[np.float32]:
            self._progress, splits = progress, self.splits
            outputs = Transfers(self.device)
            self._compute_noted(tokens, batches, number, outputs)
            if self.splits != splits and os.getpid() != own:
                raise MemoryError("it is computed again where splits are counted")
            return np.concatenate(outputs.arrays())

        own, started = os.getpid(), time.perf_counter()
        with limited_threads(self.device, 1):
            sizes = [len(batch) for batch in batches]
            rows, lost = compute_forked(
                sizes,
                compute,
                width=len(self._model.classes),
                others=others,
                tick=lambda done: tick("computing logits", done, len(tokens.truncated)),
            )
        if lost:
            self._processes -= lost
            _log.warning("%d of %d processes failed; their batches are computed again", lost, others + 1)
        self.busy_seconds += time.perf_counter() - started
        return rows

    def _compute_noted(self, tokens: Tokens, batches: Plan, number: int, outputs: Transfers) -> None:
        """Compute a batch; an error says which."""
        rows = batches[number]
        try:
            self._compute(tokens, rows, outputs)
        except Exception as error:
            longest = int(tokens.lengths[rows].max())
            error.add_note(f"in batch {number + 1} of {len(batches)} ({len(rows)} rows of {longest} tokens)")
            raise

    def _compute(self, tokens: Tokens, rows: npt.NDArray[np.int64], outputs: Transfers) -> None:
        """Compute ``rows``, in halves if they do not fit into memory, or batches of their size did not before."""
        size = self._forward.computed_tokens([rows], tokens.lengths)
        if size <= self._forward.fits or len(rows) == 1:
            try:
                with torch.inference_mode():
                    outputs.add(lambda: self._forward(tokens, rows))
                return
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(rows) == 1:
                    raise ModelError(
                        f"{self._model.source}: {self.device} ran out of memory on one row of {size} tokens; "
                        "lower --max-length"
                    ) from None
            # Behind the except: inside it, the error keeps the allocated memory alive.
            self._forward.fits = max(1, size // 2)
            outputs.free()
        self.splits += 1
        half = len(rows) // 2
        self._compute(tokens, rows[:half], outputs)
        self._compute(tokens, rows[half:], outputs)

    def exact_logits(self, tokens: Tokens, row: int) -> npt.NDArray[np.float32]:
        """(classes,) float32 logits of one row, computed alone, by transformers' own code and weights in fp32."""
        if self._exact is None:
            whole = DTYPES[self.dtype] == torch.float32
            self._exact = self._module if whole else load_classifier(str(self._model.folder)).module.to(self.device)
        started = time.perf_counter()
        with torch.inference_mode():
            logits = padded_logits(self._exact, tokens, np.array([row]))
        result: npt.NDArray[np.float32] = logits[0].float().cpu().numpy()
        self.busy_seconds += time.perf_counter() - started
        return result


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or in main memory."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
