"""The part `peers` of `benchmarks.gpu.run`: what people do today, on a sample, in turn with `engine.label`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow.parquet as pq
import torch

from benchmarks.gpu.setup import Setup
from benchmarks.harness.made_texts import LONGEST
from benchmarks.harness.rounds import compare, run_rounds
from benchmarks.labelling.peers.peer import Peer, pipeline_peer, seconds_of, sorted_peer

OURS = "engine"
_SORTED_SIZES = (64, 128, 256)


def against_peers(setup: Setup, _done: dict[str, Any]) -> dict[str, Any]:
    """`engine.label` and each peer on the same sample, in turn."""
    texts = pq.read_table(setup.texts(setup.sample)).column("text").to_pylist()
    size, trials = _best_size(setup, texts)
    contenders = _contenders(setup, size)
    for contender in contenders.values():
        contender(texts[:256])
    contestants: dict[str, Callable[[], float]] = {OURS: lambda: setup.label(setup.sample)[0].seconds}
    for name, contender in contenders.items():
        contestants[name] = partial(seconds_of, contender, texts)
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


def _contenders(setup: Setup, size: int) -> dict[str, Peer]:
    dtype = torch.float16 if setup.on_gpu else torch.float32
    made = {
        "pipeline(batch_size=32), fp32": pipeline_peer(setup.teacher, max_length=LONGEST, device=setup.device),
        f"transformers, sorted, batches of {size}, {setup.dtype}": sorted_peer(
            setup.teacher, max_length=LONGEST, size=size, device=setup.device, dtype=dtype
        ),
    }
    if setup.on_gpu:
        made["pipeline(batch_size=32), fp16"] = pipeline_peer(
            setup.teacher, max_length=LONGEST, device=setup.device, dtype=dtype
        )
    return made


def _best_size(setup: Setup, texts: Sequence[str]) -> tuple[int, dict[int, float]]:
    """The batch size with which sorted batches are fastest, and the seconds of each: the second of two times."""
    seconds = {}
    for size in _SORTED_SIZES:
        dtype = torch.float16 if setup.on_gpu else torch.float32
        peer = sorted_peer(setup.teacher, max_length=LONGEST, size=size, device=setup.device, dtype=dtype)
        seconds[size] = round([seconds_of(peer, texts) for _ in range(2)][-1], 3)
    return min(seconds, key=lambda size: seconds[size]), seconds
