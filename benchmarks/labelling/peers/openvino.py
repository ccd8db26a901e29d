"""The same model in OpenVINO, on this project's own batches: in bf16, or fp32 on a CPU without it, and in static int8.

The int8 is NNCF's.

Needs the packages openvino and nncf.
"""

import importlib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from benchmarks.labelling.peers.onnx import Bare
from benchmarks.labelling.peers.peer import Ids, Logits, Peer, in_our_batches, load, ways_to_share
from engine.compute.cpu.processor import has_bf16
from engine.tokens.encoding import Encoding

PACKAGES = ("openvino", "nncf")
_CALIBRATED = 64
"""Texts that NNCF finds the ranges of activations on; they are among those that are labelled, which favours it."""


def openvino_peers(model: Path, encoding: Encoding, texts: Sequence[str], *, pad_id: int) -> dict[str, Peer]:
    """Both, by name, a batch at a time and several at once; as many threads as torch has.

    Args:
        model: the classifier.
        encoding: its texts.
        texts: some, for the ranges.
        pad_id: of its tokenizer.
    """
    openvino: Any = importlib.import_module("openvino")
    nncf: Any = importlib.import_module("nncf")
    nncf.set_log_level(logging.ERROR)
    plain = _converted(openvino, model)
    seen: list[list[Ids]] = []
    in_our_batches(_note(seen), encoding, pad_id=pad_id)(texts[:_CALIBRATED])
    int8 = nncf.quantize(plain, nncf.Dataset(seen), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(seen))
    return {
        f"OpenVINO {name}, our batches{words}": in_our_batches(
            _compiled(openvino, converted, at_once), encoding, pad_id=pad_id, at_once=at_once
        )
        for name, converted in (("bf16" if has_bf16() else "fp32", plain), ("int8", int8))
        for words, at_once in ways_to_share(torch.get_num_threads()).items()
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


def _compiled(openvino: Any, converted: Any, at_once: int) -> Any:
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    if at_once > 1:
        options |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": at_once}
    compiled = openvino.Core().compile_model(converted, "CPU", options)
    requests = SimpleQueue[Any]()
    for _ in range(at_once):
        requests.put(compiled.create_infer_request())

    def compute(ids: Ids, mask: Ids) -> Logits:
        request = requests.get()
        logits = np.array(request.infer([ids, mask])[0], np.float32)
        requests.put(request)
        return logits

    return compute
