"""What people label with today: texts → logits, each peer as its own documentation uses it.

A call tokenises and computes, and nothing else: the model is loaded before, and nothing is stored.
"""

import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from engine.models.files import quiet_transformers
from engine.tokens.batches import pad, plan, restore
from engine.tokens.encoding import Encoding

Logits = npt.NDArray[np.float32]
Peer = Callable[[Sequence[str]], Logits]
"""(rows, classes) float32 logits of texts, in their order."""
Ids = npt.NDArray[np.int64]
BUDGET = 2048
"""Tokens a batch of ours in which the peers compute, padding included: 1,024 are as fast or slower for them."""
_TOLERANCE = 1e-3


def is_installed(package: str) -> bool:
    """Whether ``package`` can be imported; it is not imported for that."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # an entry in sys.modules that is no module
        return False


def seconds_of(peer: Peer, texts: Sequence[str]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    peer(texts)
    return time.perf_counter() - started


def load(model: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32, attention: str = "sdpa") -> Any:
    """The model as transformers has it, ready to compute."""
    module = AutoModelForSequenceClassification.from_pretrained(model, dtype=dtype, attn_implementation=attention)
    return module.to(device).eval()


def one_by_one(model: Path, *, max_length: int, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Peer:
    """The reference: transformers, one row at a time, so without padding."""
    tokenizer, module = AutoTokenizer.from_pretrained(model), load(model, device=device, dtype=dtype)

    def logits(texts: Sequence[str]) -> Logits:
        rows = []
        with torch.inference_mode():
            for text in texts:
                inputs = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt").to(device)
                rows.append(module(**inputs).logits)
        return _as_numpy(torch.cat(rows))

    return logits


def pipeline_peer(
    model: Path, *, max_length: int, size: int = 32, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Peer:
    """``transformers.pipeline("text-classification")``: batches in the order of arrival."""
    module = load(model, device=device, dtype=dtype)
    classify: Any = pipeline(
        "text-classification", model=module, tokenizer=AutoTokenizer.from_pretrained(model), device=device
    )
    options = {"batch_size": size, "truncation": True, "max_length": max_length, "function_to_apply": "none"}

    def logits(texts: Sequence[str]) -> Logits:
        answers = classify(list(texts), top_k=None, **options)
        scores = [{one["label"]: one["score"] for one in answer} for answer in answers]
        names = [module.config.id2label[index] for index in range(module.config.num_labels)]
        return np.array([[row[name] for name in names] for row in scores], np.float32)

    return logits


def sorted_peer(
    model: Path, *, max_length: int, size: int = 32, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Peer:
    """Plain transformers with SDPA: all texts sorted by their tokens, longest first, and padded batches of ``size``."""
    tokenizer, module = AutoTokenizer.from_pretrained(model), load(model, device=device, dtype=dtype)

    def logits(texts: Sequence[str]) -> Logits:
        ids = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        batches = []
        with torch.inference_mode():
            for start in range(0, len(order), size):
                rows = {"input_ids": [ids[row] for row in order[start : start + size]]}
                inputs = tokenizer.pad(rows, return_tensors="pt").to(device, non_blocking=True)
                batches.append(module(**inputs).logits)
            return _in_order(_as_numpy(torch.cat(batches)), order)

    return logits


def cross_encoder_peer(model: Path, *, max_length: int, size: int = 32, device: str = "cpu") -> Peer:
    """``sentence_transformers.CrossEncoder.predict``, which sorts by the characters of a text."""
    library: Any = importlib.import_module("sentence_transformers")
    quiet_transformers()  # again: that import has turned its progress bars on
    encoder = library.CrossEncoder(str(model), max_length=max_length, device=device)
    # It takes a list of texts for one pair, and refuses a pair of one; its model and batches take texts as they are.
    encoder.is_singular_input = lambda _: False

    def logits(texts: Sequence[str]) -> Logits:
        answer = encoder.predict(
            list(texts), batch_size=size, activation_fn=torch.nn.Identity(), show_progress_bar=False
        )
        return np.asarray(answer, np.float32)

    return logits


def in_our_batches(
    compute: Callable[[Ids, Ids], Logits], encoding: Encoding, *, pad_id: int, budget: int = BUDGET, at_once: int = 1
) -> Peer:
    """``compute`` of ids and mask, (rows, tokens) each, on batches as `engine.compute.encoder` plans padded ones.

    Args:
        compute: called by ``at_once`` threads.
        encoding: of the texts.
        pad_id: of the tokenizer.
        budget: tokens a batch.
        at_once: batches that are computed at the same time.
    """

    def logits(texts: Sequence[str]) -> Logits:
        tokens = encoding.encode(texts)
        batches = plan(tokens.lengths, budget=budget)

        def of_batch(rows: npt.NDArray[np.int64]) -> Logits:
            ids, real = pad(tokens.ids, tokens.offsets, rows, pad_id=pad_id)
            return compute(ids, real.astype(np.int64))

        with ThreadPoolExecutor(at_once) as threads:
            return restore(batches, list(threads.map(of_batch, batches)))

    return logits


def ways_to_share(threads: int) -> dict[str, int]:
    """How a library may use the cores: words behind its name → batches that it computes at once."""
    return {"": 1} | ({f", {threads} at once": threads} if threads > 1 else {})


def check_peers(peers: dict[str, Peer], reference: Peer, texts: list[str]) -> dict[str, dict[str, float]]:
    """Largest difference from transformers, and the share of equal predictions. Warms everybody up.

    Raises:
        ValueError: a peer in fp32 gives other logits.
    """
    truth, checks = reference(texts), {}
    for name, peer in peers.items():
        checks[name] = difference(peer(texts), truth)
        off, is_exact = checks[name]["largest_difference"], not any(dtype in name for dtype in ("bf16", "int8"))
        if off > _TOLERANCE and is_exact:
            raise ValueError(f"{name}: logits differ by {off:.2g} from those of transformers")
    return checks


def difference(logits: Logits, truth: Logits) -> dict[str, float]:
    """How far ``logits`` are from ``truth``, and the share of equal predictions."""
    return {
        "rows": len(truth),
        "largest_difference": float(np.abs(logits - truth).max()),
        "equal_predictions": float((logits.argmax(axis=1) == truth.argmax(axis=1)).mean()),
    }


def _in_order(sorted_logits: Logits, order: Sequence[int]) -> Logits:
    restored = np.empty_like(sorted_logits)
    restored[list(order)] = sorted_logits
    return restored


def _as_numpy(logits: torch.Tensor) -> Logits:
    result: Logits = logits.float().cpu().numpy()
    return result
