"""What a pilot measured, and what is left to do → seconds and tokens of it. Pure numpy: knows no store and no model.

A text costs what its tokens cost, which its length and file tell nearly; so the cost of a shard is that of its texts by
stratum, as the pilot's texts of the stratum had it. Seconds follow by the pace of the pilot: for the unit of cost, the
character, the row.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.intervals import Z
from engine.labelling.pilot.mix.mix import LENGTHS, STRATA, Mix, Numbers

Values = npt.NDArray[np.float64]
RowCost = Callable[[Numbers], Values]
"""(n,) tokens of rows → (n,) what each costs, in a unit that is proportional to time, as are operations."""

DRIFT = 0.05
"""How much the speed of a machine may change after the pilot, as a standard deviation, if the pilot shows no more."""
_FEW = 4


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a worker was in the pilot.

    Attributes:
        compute: seconds for a unit of cost.
        prepare: seconds for a character: reading and tokenising.
        write: seconds for a row.
        commit: seconds for a shard, however few rows it has, that `write` does not have.
        check: seconds for a row that is computed again.
        spread: relative standard deviation of `compute` from one part of the pilot to the next.
        parts: how many parts there were.
        start: seconds until the first worker had loaded the model.
        padding: computed tokens for each real one.
        label_bytes: of a row in a label set.
        token_bytes: of a token id.
    """

    compute: float
    prepare: float
    write: float
    commit: float = 0.0
    check: float = 0.0
    spread: float = 0.0
    parts: int = 1
    start: float = 0.0
    padding: float = 1.0
    label_bytes: float = 0.0
    token_bytes: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The workers of a run.

    Attributes:
        workers: how many.
        ahead: whether each prepares the next shard while it computes one.
        behind: whether each writes a shard while it computes the next one.
        check_rows: as of the card.
    """

    workers: int = 1
    ahead: bool = False
    behind: bool = False
    check_rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much there is to do.

    Attributes:
        shards: (n,) seconds of each shard, for one worker.
        seconds: of wall time for all, after the workers have loaded the model.
        relative: standard deviation of `seconds`, as a part of them.
        tokens: of all rows.
    """

    shards: Values
    seconds: float
    relative: float
    tokens: float


def estimate(mix: Mix, pace: Pace, crew: Crew, *, strata: Numbers, tokens: Numbers, cost: RowCost) -> Work:
    """What it takes to label all of ``mix``.

    Args:
        mix: what is left to do.
        pace: of the pilot.
        crew: that does it.
        strata: (rows of the pilot,).
        tokens: (rows of the pilot,) that the model saw.
        cost: of a row.
    """
    costs = cost(tokens)
    by_stratum = stratum_means(costs, strata)
    shard_costs = mix.rows @ by_stratum
    rows = mix.rows.sum(axis=1)
    checked = np.minimum(crew.check_rows, -(-rows // 256))
    compute = shard_costs * pace.compute + checked * pace.check
    prepare, write = mix.characters.sum(axis=1) * pace.prepare, rows * pace.write + pace.commit
    if crew.behind:
        shards = np.maximum(compute, np.maximum(prepare, write))
    elif crew.ahead:
        shards = np.maximum(compute, prepare) + write
    else:
        shards = prepare + compute + write
    sampling = _sampling_error(costs, strata, mix.rows.sum(axis=0)) / max(float(shard_costs.sum()), 1e-300)
    drift = max(pace.spread, DRIFT)
    return Work(
        shards=shards,
        seconds=makespan(shards, crew.workers),
        relative=math.sqrt(sampling**2 + drift**2 * (1 + 1 / max(1, pace.parts))),
        tokens=float(mix.rows.sum(axis=0) @ stratum_means(tokens.astype(np.float64), strata)),
    )


def interval(seconds: float, relative: float) -> tuple[float, float]:
    """The interval of 95 % around ``seconds``, whose relative standard deviation is given; never below 0."""
    factor = math.exp(Z * relative)
    return seconds / factor, seconds * factor


def makespan(shards: Values, workers: int) -> float:
    """Seconds until the last of ``shards`` is done, each by the worker that is free first, in their order."""
    free = [0.0] * max(1, workers)
    for seconds in shards:
        heapq.heapreplace(free, free[0] + float(seconds))
    return max(free)


def stratum_means(values: Values, strata: Numbers) -> Values:
    """(strata,) mean of the pilot's ``values``; of a stratum that has few, that of its length class in all files.

    Of a class that has few as well, it is between those of the classes around it.
    """
    counts, sums = np.bincount(strata, minlength=STRATA), np.bincount(strata, values, minlength=STRATA)
    by_length = counts.reshape(-1, LENGTHS).sum(axis=0)
    held = np.flatnonzero(by_length)
    if not len(held):
        return np.zeros(STRATA)
    lengths = sums.reshape(-1, LENGTHS).sum(axis=0)[held] / by_length[held]
    fallback = np.tile(np.interp(np.arange(LENGTHS), held, lengths), STRATA // LENGTHS)
    return np.where(counts >= _FEW, sums / np.maximum(counts, 1), fallback)


def _sampling_error(values: Values, strata: Numbers, population: Numbers) -> float:
    """Standard error of the sum of all rows' values, of which the pilot has some of each stratum."""
    counts = np.bincount(strata, minlength=STRATA)
    deviation = values - stratum_means(values, strata)[strata]
    freedom = max(1, len(values) - int((counts > 0).sum()))
    pooled = float((deviation**2).sum()) / freedom
    own = np.bincount(strata, deviation**2, minlength=STRATA) / np.maximum(counts - 1, 1)
    variance = np.where(counts >= _FEW, own, pooled)
    return math.sqrt(float((population.astype(np.float64) ** 2 * variance / np.maximum(counts, 1)).sum()))
