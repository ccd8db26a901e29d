"""Planned batches of token ids → logits, and single rows in fp32: a teacher or student that labels or is judged.

Rows are packed, without padding between them, where a probe finds that this does not change the model's logits; padded
to rectangles else.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.ceiling import measure_ceiling
from engine.compute.forward import Forward, Rows, padded_logits
from engine.compute.fused_layer import compiling_failed
from engine.compute.packed_model import COMPILED, FUSED, choose_path
from engine.compute.transfer import Transfers
from engine.errors import ModelError
from engine.models.classifier import Classifier, load_classifier
from engine.models.flops import model_flops
from engine.models.layers import stack_name
from engine.progress import Tick, silent
from engine.tokens.batches import Plan, restore
from engine.tokens.tokens import Tokens, made_up_tokens

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
CPU_BUDGET = 2048
CUDA_BUDGET = 65_536


def default_dtype(device: torch.device) -> str:
    """fp32 on a CPU, where 16 bits are no faster; fp16 on CUDA."""
    return "fp16" if device.type == "cuda" else "fp32"


def default_budget(device: torch.device) -> int:
    """Tokens a batch. Larger ones are slower on a CPU (they leave its cache)."""
    return CUDA_BUDGET if device.type == "cuda" else CPU_BUDGET


class Encoder:
    """A classifier on a device, ready to compute.

    Args:
        model: the classifier; its module is moved and cast.
        device: where it computes.
        dtype: ``fp32``, ``fp16`` or ``bf16``.
        budget: tokens a batch; padding counts where rows are padded.
        path: how it computes, as `engine.compute.packed_model.choose_path` found; found here where None.
        longest: tokens of a row at most; as many as the model's encoding gives where None.

    Attributes:
        path: how it computes; where compiling has failed, what it does instead.
        splits: how often a batch was split because memory does not suffice for it.
        busy_seconds: for how long the device computed.
    """

    def __init__(
        self,
        model: Classifier,
        *,
        device: torch.device,
        dtype: str = "fp32",
        budget: int,
        path: str | None = None,
        longest: int | None = None,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.budget = budget
        self._longest = longest or model.encoding().max_length
        self.path = path or choose_path(model.module, longest=self._longest)
        self.splits = 0
        self.busy_seconds = 0.0
        self._model = model
        self._tick: Callable[[], None] = lambda: None
        self._module: Any = model.module.to(device=device, dtype=DTYPES[dtype]).eval()
        self._forward = Forward(self._module, path=self.path, budget=budget, longest=self._longest)
        self._exact: Any = None
        self._watch(self._forward.module)

    def _watch(self, module: Any) -> None:
        """Let every layer tell that work goes on: a batch may take long."""
        name = stack_name(self._module)
        for layer in module.get_submodule(name) if name else []:
            layer.register_forward_pre_hook(lambda *_: self._tick())

    def warm_up(self) -> None:
        """Compute some batches of made-up tokens, and a row alone: what compiles, loads and measures does so now."""
        vocabulary = self._module.get_input_embeddings().num_embeddings
        tokens = made_up_tokens(2 * self.budget, longest=self._longest, vocabulary=vocabulary)
        self.logits(tokens, self.plan(tokens))
        self.exact_logits(tokens, 0)
        self.ceiling()
        if self.path == COMPILED and compiling_failed():
            self.path = FUSED
        self.busy_seconds, self.splits, self._forward.fits = 0.0, 0, self.budget

    def plan(self, tokens: Tokens) -> Plan:
        """The batches in which `logits` computes ``tokens``."""
        return self._forward.plan(tokens.lengths)

    def computed_tokens(self, tokens: Tokens, batches: Plan) -> int:
        """Tokens that ``batches`` compute, padding included."""
        return self._forward.computed_tokens(batches, tokens.lengths)

    def ceiling(self) -> float:
        """Floating-point operations a second that the device can do at most."""
        return measure_ceiling(self.device, DTYPES[self.dtype])

    def flops(self, tokens: Tokens) -> float:
        """Floating-point operations that ``tokens`` take, padding not counted; a product and a sum are two.

        Matrix products and attention of the layers, as Kaplan et al. (2020) count, but for both directions; of the last
        layer what is computed.
        """
        return model_flops(self._module, tokens.lengths, first_only=self.path in (FUSED, COMPILED))

    def logits(self, tokens: Tokens, batches: Plan, *, tick: Tick = silent) -> npt.NDArray[np.float32]:
        """(rows, classes) float32, in the order of ``tokens``; computed batch by batch.

        Raises:
            ModelError: memory does not suffice for a single row.
        """
        outputs = Transfers(self.device)
        done = 0
        self._tick = lambda: tick("computing logits", done, len(tokens.truncated))
        for number, batch in enumerate(batches, start=1):
            try:
                self._compute(tokens, batch, outputs)
            except Exception as error:
                longest = int(tokens.lengths[batch].max())
                error.add_note(f"in batch {number} of {len(batches)} ({len(batch)} rows of {longest} tokens)")
                raise
            done += len(batch)
            self._tick()
        computed = outputs.arrays()
        self.busy_seconds += outputs.busy_seconds
        return restore(batches, computed) if computed else np.empty((0, len(self._model.classes)), np.float32)

    def _compute(self, tokens: Tokens, rows: Rows, outputs: Transfers) -> None:
        """Compute ``rows``, in halves where memory does not suffice for all, now or at an earlier time."""
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
                        f"{self._model.source}: the memory of {self.device} does not suffice for one row of {size} "
                        "tokens; lower --max-length"
                    ) from None
            # Behind the except: until here the error keeps what was allocated alive.
            self._forward.fits = max(1, size // 2)
            outputs.free()
        self.splits += 1
        half = len(rows) // 2
        self._compute(tokens, rows[:half], outputs)
        self._compute(tokens, rows[half:], outputs)

    def exact_logits(self, tokens: Tokens, row: int) -> npt.NDArray[np.float32]:
        """(classes,) float32 logits of one row, computed alone, by transformers' own code and weights in fp32."""
        if self._exact is None:
            whole = self.dtype == "fp32"
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
