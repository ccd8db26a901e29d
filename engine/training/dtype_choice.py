"""A training that is about to begin → the arithmetic of its products: on a CPU measured, if the run is long enough.

Weights, gradients and the optimizer stay in fp32. Products in bf16 are twice as fast on one processor and a tenth as
fast on another. The state of the training keeps the choice, because the other one gives other bits.
"""

import dataclasses
import itertools
import logging
import time
from typing import Any

from torch import nn

from engine.compute.cpu.processor import lacks
from engine.compute.layers.linear import LEAST_TRAINED
from engine.training.data.steps import Step, Steps
from engine.training.distributed import Ranks
from engine.training.micro_batches import MicroBatches
from engine.training.optimizer import FlatGradients
from engine.training.state import TrainState
from engine.training.tasks.config import DTYPES

LEAST_STEPS = 200
"""Steps of the shortest training that it is measured for: as long as eight of them it takes."""
_TRIED = 4
_LOOK_ROWS = 8
"""Rows of a first look at bf16 where the processor lacks it."""
_GIVEN_UP = 3.0  # times the seconds of fp32, for these rows; it takes 13 times as long on a processor with AVX2 alone
_GAIN = 1.1  # bf16 that is hardly faster is not worth its rounding
_log = logging.getLogger(__name__)


def choose_dtype(
    backward: MicroBatches,
    module: Any,
    gradients: FlatGradients,
    steps: Steps,
    ranks: Ranks,
    *,
    total: int,
    state: TrainState,
) -> str:
    """``bf16`` on a GPU, and on a CPU if it is at least 1.1 times as fast as ``fp32`` for every rank.

    A run that goes on keeps its dtype, wherever it goes on.

    Args:
        backward: computes the gradients of ``module``; left with any dtype.
        module: the model in training; its parameters stay as they are.
        gradients: of its parameters; what they held is lost.
        steps: the data, whose first steps are computed.
        ranks: all of them choose the same.
        total: steps of the whole training.
        state: that it goes on from, with the same dtype.
    """
    if state.done and state.dtype is not None:
        return state.dtype
    if ranks.device.type != "cpu":
        return "bf16"
    if state.done:  # in an earlier version
        return "fp32"
    if total < LEAST_STEPS or not _has_large_products(module):
        return "fp32"
    first = _first_steps(steps)
    if any(ranks.gather(int(_is_hopeless(backward, gradients, _some(first[0], _LOOK_ROWS))))):
        return "fp32"
    seconds = _seconds(backward, gradients, first)
    is_faster = seconds["fp32"] > _GAIN * seconds["bf16"]  # not so where a rank has no rows
    chosen = "bf16" if all(ranks.gather(int(is_faster))) else "fp32"
    _log.info("%d steps take %.2f s in fp32 and %.2f s in bf16; %s is taken", _TRIED - 1, *seconds.values(), chosen)
    return chosen


def _is_hopeless(backward: MicroBatches, gradients: FlatGradients, few: Step) -> bool:
    """Whether bf16, which this processor lacks, takes `_GIVEN_UP` times as long as fp32 for a few rows."""
    if not lacks("bf16") or not len(few.rows):
        return False
    seconds = _seconds(backward, gradients, [few, few])
    if is_hopeless := seconds["bf16"] > _GIVEN_UP * seconds["fp32"]:
        both = seconds["bf16"], seconds["fp32"]
        _log.info("bf16 is given up: %d rows take %.2g s, and %.2g s in fp32", len(few.rows), *both)
    return is_hopeless


def _some(step: Step, rows: int) -> Step:
    """The first ``rows`` of a step."""
    targets = {name: values[:rows] for name, values in step.targets.items()}
    return dataclasses.replace(step, rows=step.rows[:rows], targets=targets)


def _first_steps(steps: Steps) -> list[Step]:
    """As many as are tried, of as many epochs as it takes."""
    epochs = (steps.epoch(number, 0) for number in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(epochs), _TRIED))


def _seconds(backward: MicroBatches, gradients: FlatGradients, steps: list[Step]) -> dict[str, float]:
    """Seconds by dtype, taking turns; products are prepared in the first step, which does not count."""
    seconds = dict.fromkeys(DTYPES, 0.0)
    for number, step in enumerate(steps):
        for dtype in DTYPES:
            backward.dtype = dtype
            started = time.perf_counter()
            backward(step, gradients, seed=(number,))
            seconds[dtype] += (time.perf_counter() - started) if number else 0.0
    return seconds


def _has_large_products(module: Any) -> bool:
    """Whether any product is so large that its arithmetic matters."""
    linear = (part for part in module.modules() if isinstance(part, nn.Linear))
    return any(part.weight.numel() >= LEAST_TRAINED for part in linear)
