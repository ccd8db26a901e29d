"""The same model in ONNX Runtime, fp32 and dynamic int8, on this project's own batches.

Needs the packages onnx and onnxruntime.
"""

import importlib
import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks.labelling.peers.peer import Ids, Logits, Peer, in_our_batches, load
from engine.tokens.encoding import Encoding

PACKAGES = ("onnx", "onnxruntime")
_AXES = {0: "rows", 1: "tokens"}


def export(model: Path, folder: Path) -> tuple[Path, Path]:
    """The files of the fp32 model and of its int8 copy, in ``folder``. Rows and tokens of a batch stay free.

    Of the ways to export (by tracing or by dynamo, with SDPA or eager attention, with and without the optimiser that
    comes with ONNX Runtime, before or after quantising) this is the one that runs fastest, in fp32 and in int8: ONNX
    Runtime finds its own fused attention in eager attention that was traced, and only there.
    """
    fp32, int8 = folder / "model.onnx", folder / "model-int8.onnx"
    ids = torch.randint(1, 1000, (3, 17))
    mask = torch.ones_like(ids)
    mask[0, 9:] = 0
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing is deprecated, and says what it makes constant
        torch.onnx.export(
            Bare(load(model, attention="eager")),
            (ids, mask),
            str(fp32),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": _AXES, "attention_mask": _AXES, "logits": {0: "rows"}},
            opset_version=17,
            dynamo=False,
        )
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    logging.getLogger().addFilter(_is_no_advice)
    quantization.quantize_dynamic(str(fp32), str(int8))
    logging.getLogger().removeFilter(_is_no_advice)
    return fp32, int8


def _is_no_advice(record: logging.LogRecord) -> bool:
    """Leave out the advice to optimise before quantising: with this model it is slower."""
    return "pre-processing before quantization" not in record.getMessage()


class Bare(torch.nn.Module):
    """Ids and mask → logits, without the names and the wrapping of transformers."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._module = module

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(rows, classes) logits of (rows, tokens) ids and mask."""
        logits: torch.Tensor = self._module(input_ids=ids, attention_mask=mask).logits
        return logits


def onnx_peer(file: Path, encoding: Encoding, *, pad_id: int, at_once: int = 1) -> Peer:
    """Batches as `engine.compute.encoder` plans them for a CPU, each padded; as many threads as torch has.

    Args:
        file: the model.
        encoding: of the texts.
        pad_id: of its tokenizer.
        at_once: batches that are computed at the same time, which share the threads.
    """
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads() // at_once
    session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def compute(ids: Ids, mask: Ids) -> Logits:
        computed: Logits = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]
        return computed

    return in_our_batches(compute, encoding, pad_id=pad_id, at_once=at_once)
