"""The same model in OpenVINO, in bf16 where the CPU has it and in static int8 by NNCF, on this project's own batches.

Needs the packages openvino and nncf.
"""

import importlib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.labelling.onnx_peers import Bare
from benchmarks.labelling.peers import BUDGET, Ids, Logits, Peer, in_our_batches, load
from engine.tokens.encoding import Encoding

PACKAGES = ("openvino", "nncf")
_CALIBRATED = 64
"""Texts that NNCF finds the ranges of activations on; they are among those that are labelled, which favours it."""


def openvino_peers(
    model: Path, encoding: Encoding, texts: Sequence[str], *, pad_id: int, budget: int = BUDGET
) -> dict[str, Peer]:
    """Both, by name; as many threads as torch has.

    Args:
        model: the classifier.
        encoding: its texts.
        texts: some, for the ranges.
        pad_id: of its tokenizer.
        budget: tokens a batch.
    """
    openvino: Any = importlib.import_module("openvino")
    nncf: Any = importlib.import_module("nncf")
    nncf.set_log_level(logging.ERROR)
    plain = _converted(openvino, model)
    seen: list[list[Ids]] = []
    in_our_batches(_note(seen), encoding, pad_id=pad_id, budget=budget)(texts[:_CALIBRATED])
    int8 = nncf.quantize(plain, nncf.Dataset(seen), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(seen))
    return {
        f"OpenVINO {name}, our batches": in_our_batches(
            _compiled(openvino, converted), encoding, pad_id=pad_id, budget=budget
        )
        for name, converted in (("bf16", plain), ("int8", int8))
    }


def _converted(openvino: Any, model: Path) -> Any:
    ids = torch.randint(1, 1000, (3, 17))
    free = openvino.PartialShape([-1, -1])
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing says what it makes constant
        return openvino.convert_model(Bare(load(model)), example_input=(ids, torch.ones_like(ids)), input=[free, free])


def _note(seen: list[list[Ids]]) -> Any:
    """Computes nothing, and keeps what it is given."""

    def compute(ids: Ids, mask: Ids) -> Logits:
        seen.append([ids, mask])
        return np.zeros((len(ids), 1), np.float32)

    return compute


def _compiled(openvino: Any, converted: Any) -> Any:
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(converted, "CPU", options)

    def compute(ids: Ids, mask: Ids) -> Logits:
        return np.array(compiled([ids, mask])[0], np.float32)

    return compute
