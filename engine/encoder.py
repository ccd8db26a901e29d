"""One planned batch of token ids → logits. The only place where a model computes outside training.

Batches are padded rectangles; one whose rows have equal lengths is computed without an attention mask.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.batches import Plan, pad, plan, restore
from engine.model import Classifier, load_classifier
from engine.progress import Tick, silent
from engine.tokens import Tokens

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
        budget: padded tokens a batch.
    """

    def __init__(self, model: Classifier, *, device: torch.device, dtype: str = "fp32", budget: int) -> None:
        self.device = device
        self.dtype = dtype
        self.budget = budget
        self._folder = model.folder
        self._classes = len(model.classes)
        self._module: Any = model.module.to(device=device, dtype=DTYPES[dtype]).eval()
        self._pad_id = model.module.config.pad_token_id
        self._exact: Any = None

    def plan(self, tokens: Tokens) -> Plan:
        """The batches in which `logits` computes ``tokens``."""
        return plan(tokens.lengths, budget=self.budget)

    def logits(self, tokens: Tokens, batches: Plan, *, tick: Tick = silent) -> npt.NDArray[np.float32]:
        """(rows, classes) float32, in the order of ``tokens``; computed batch by batch."""
        outputs = []
        done = 0
        for number, batch in enumerate(batches, start=1):
            try:
                outputs.append(self._batch_logits(self._module, tokens, batch))
            except Exception as error:
                longest = int(tokens.lengths[batch].max())
                error.add_note(f"in batch {number} of {len(batches)} ({len(batch)} rows of {longest} tokens)")
                raise
            done += len(batch)
            tick("computing logits", done, len(tokens.truncated))
        if not outputs:
            return np.empty((0, self._classes), np.float32)
        return restore(batches, outputs)

    def exact_logits(self, tokens: Tokens, row: int) -> npt.NDArray[np.float32]:
        """(classes,) float32 logits of one row, computed alone and in fp32 by the weights as they are on disk."""
        if self._exact is None:
            whole = self.dtype == "fp32"
            self._exact = self._module if whole else load_classifier(str(self._folder)).module.to(self.device)
        result: npt.NDArray[np.float32] = self._batch_logits(self._exact, tokens, np.array([row]))[0]
        return result

    def _batch_logits(self, module: Any, tokens: Tokens, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        ids, real = pad(tokens.ids, tokens.offsets, rows, pad_id=self._pad_id)
        mask = None if real.all() else torch.from_numpy(real.astype(np.int64)).to(self.device)
        with torch.inference_mode():
            output = module(input_ids=torch.from_numpy(ids).to(self.device), attention_mask=mask)
        logits: npt.NDArray[np.float32] = output.logits.float().cpu().numpy()
        return logits
