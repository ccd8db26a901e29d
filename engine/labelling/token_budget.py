"""A teacher, a device and a corpus → the token budget: measured if that costs next to nothing, else a default.

It is measured once: the card of the label set keeps it, because another budget gives other bits.
"""

import copy
import dataclasses
import logging
import time
from dataclasses import dataclass

import torch

from engine.compute.backend import Backend, Workload
from engine.compute.backends import choose_backend
from engine.compute.device import default_budget, limited_threads
from engine.compute.encoder import Encoder
from engine.models.batching import batching_of, vocabulary_size
from engine.models.classifier import Classifier
from engine.progress import Tick, silent
from engine.tokens.tokens import made_up_tokens
from store import Store

CANDIDATES = {"cpu": (512, 1024, 2048, 4096), "cuda": (32_768, 65_536, 131_072)}
_ROUNDS = 2
# Measuring may take one part in so many of the work.
_SHARE = 100
CHARACTERS_PER_TOKEN = 6
_AS_GOOD = 1.02
_log = logging.getLogger("engine.labelling")


@dataclass(frozen=True, kw_only=True)
class CorpusSize:
    """The size of a corpus. Can be pickled.

    Attributes:
        tokens: an estimate, rather too low.
        pilot: some of its texts, for trials; none if it is too small for trials to pay.
    """

    tokens: float
    pilot: tuple[str, ...] = ()


def corpus_size(store: Store) -> CorpusSize:
    """The size of a store's corpus, estimated from its characters."""
    characters = sum(record.statistics["characters"] for record in store.corpus.records().values())
    return CorpusSize(tokens=float(characters / CHARACTERS_PER_TOKEN))


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which a budget is fastest.

    Attributes:
        dtype: of the computation.
        longest: tokens of the longest row; as many as the model's encoding gives if None.
        threads: on a CPU, those of a worker.
        backend: that computes; chosen by the model if None.
    """

    dtype: str
    longest: int | None = None
    threads: int = 1
    backend: Backend | None = None


def choose_budget(
    corpus: CorpusSize, model: Classifier, device: torch.device, conditions: Conditions, *, tick: Tick = silent
) -> int:
    """The token budget for labelling a corpus with ``model``.

    Args:
        corpus: its size.
        model: the teacher; it is left as it is.
        device: that will label.
        conditions: of labelling.
        tick: told of progress.
    """
    candidates = CANDIDATES[device.type]
    if corpus.tokens < _SHARE * (_ROUNDS + 1) * len(candidates) * candidates[-1]:
        return default_budget(device)
    seconds = measure_budgets(model, device, conditions, candidates=candidates, tick=tick)
    best = fastest(seconds)
    shown = ", ".join(f"{budget:,}: {candidates[-1] / taken:,.0f}" for budget, taken in seconds.items())
    _log.info("tokens a second by token budget: %s; %s is taken", shown, f"{best:,}")
    return best


def measure_budgets(
    model: Classifier,
    device: torch.device,
    conditions: Conditions,
    *,
    candidates: tuple[int, ...],
    tick: Tick = silent,
) -> dict[int, float]:
    """Seconds that as many tokens as the largest candidate has take with each budget: the better one of two rounds.

    Budgets that do not fit into memory are left out, except the smallest one.
    """
    own = dataclasses.replace(model, module=copy.deepcopy(model.module))
    longest = conditions.longest or model.encoding().max_length
    workload = Workload(longest=longest, device=device, dtype=conditions.dtype)
    backend = conditions.backend or choose_backend(own.module, workload)
    vocabulary, frame = vocabulary_size(own.module), batching_of(own.module).frame
    tokens = made_up_tokens(candidates[-1], longest=longest, vocabulary=vocabulary, frame=frame)
    encoders = {
        budget: Encoder(own, device=device, dtype=conditions.dtype, budget=budget, backend=backend, longest=longest)
        for budget in candidates
    }
    seconds = dict.fromkeys(candidates, float("inf"))
    with limited_threads(device, conditions.threads):
        for round_ in range(_ROUNDS + 1):
            for budget, encoder in encoders.items():
                started = time.perf_counter()
                encoder.logits(tokens, encoder.plan(tokens), tick=tick)
                if round_:
                    seconds[budget] = min(seconds[budget], time.perf_counter() - started)
    fitting = {budget for budget, encoder in encoders.items() if not encoder.splits} | {min(candidates)}
    return {budget: taken for budget, taken in seconds.items() if budget in fitting}


def fastest(seconds: dict[int, float]) -> int:
    """The smallest budget that is as good as the best one: it takes less memory."""
    return min(budget for budget, taken in seconds.items() if taken <= _AS_GOOD * min(seconds.values()))
