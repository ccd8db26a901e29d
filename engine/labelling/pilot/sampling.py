"""Labels texts of a sample with all workers, keeps nothing, and measures how fast that is."""

import copy
import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.compute.cpu.limits import usable_cores
from engine.compute.encoder import FLOPS_EACH
from engine.labelling.job import LabelJob
from engine.labelling.pilot.estimate import Pace, RowCost
from engine.labelling.pilot.measure import pace_of_parts
from engine.labelling.pilot.mix.choose import parts_of
from engine.labelling.pilot.mix.mix import Numbers
from engine.labelling.pilot.sample_job import ModelJob, PartReport, SampleJob
from engine.labelling.runners.base import Runner
from engine.progress import Tick

LEAST_ROWS, MOST_ROWS = 1_000, 20_000
"""Rows of a pilot whose size nobody says: on GPUs the most, for they come to speed only then."""
_PARTS = 4
_LEAST_PART, _LARGEST_PART = 64, 2_500
_TOKENS = 100  # of a usual text


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Texts that a pilot labels and does not keep.

    Attributes:
        texts: (n,) the texts.
        strata: (n,) of each.
        gold: (n,) class index of the human label; -1 for none.
    """

    texts: Sequence[str]
    strata: Numbers
    gold: Numbers


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows that a pilot labelled.

    Attributes:
        strata: (n,) of each.
        tokens: (n,) of each.
        gold: (n,) class index of the human label; -1 for none.
        predictions: (n,) class index; -1 where labelling failed.
        shards: (n,) of each, if they are whole shards.
    """

    strata: Numbers
    tokens: Numbers
    gold: Numbers
    predictions: Numbers
    shards: Numbers | None = None


def default_rows(runner: Runner, cost: RowCost) -> int:
    """Rows of a pilot whose size nobody says.

    Args:
        runner: that labels.
        cost: of a row, in floating-point operations.
    """
    if not runner.devices[0].startswith("cpu"):
        return MOST_ROWS
    return min(MOST_ROWS, max(LEAST_ROWS, _PARTS * least_part(runner, cost)))


def least_part(runner: Runner, cost: RowCost) -> int:
    """Rows of a part in which a worker on a CPU computes in as many processes as in a shard: fewer would not pay."""
    if not runner.devices[0].startswith("cpu"):
        return _LEAST_PART
    cores = max(1, usable_cores() // len(runner.devices))
    return max(_LEAST_PART, math.ceil(FLOPS_EACH * cores / float(cost(np.array([_TOKENS]))[0])))


def label_sample(
    job: ModelJob, cost: RowCost, sample: Sample, runner: Runner, *, classes: Sequence[str], tick: Tick
) -> tuple[Labelled, Pace]:
    """Label a sample with all workers of ``runner``, and measure them.

    Args:
        job: opens the teacher.
        cost: of a row.
        sample: of the texts.
        runner: that labels.
        classes: of the store.
        tick: told of progress.

    Raises:
        LabellingError, EngineError, OSError: as `engine.labelling.runners.base.Runner.run`.
    """
    total = len(sample.texts)
    most = max(_PARTS, 2 * len(runner.devices))
    parts = max(min(most, total // least_part(runner, cost)), 1)
    if not runner.devices[0].startswith("cpu"):
        parts = max(parts, -(-total // _LARGEST_PART))
    places = parts_of(sample.strata, parts)
    texts = tuple(tuple(sample.texts[place] for place in part) for part in places)
    reports: list[PartReport] = []
    started, begun = time.perf_counter(), list[float]()

    def note(_what: str, rows: int, _total: int | None) -> None:
        if not begun:
            begun.append(time.perf_counter())
        tick("labelling a pilot", sum(len(report.tokens) for report in reports) + rows, total)

    sampled = SampleJob(job=_of_its_own(job), parts=texts, classes=tuple(classes))
    runner.run(sampled, range(parts), done=lambda _, report: reports.append(report), tick=note)
    characters = [np.array([len(text) for text in part]) for part in texts]
    order = np.concatenate([places[report.part] for report in reports])
    labelled = Labelled(
        strata=sample.strata[order],
        tokens=np.concatenate([report.tokens for report in reports]).astype(np.int64),
        gold=sample.gold[order],
        predictions=np.concatenate([report.predictions for report in reports]).astype(np.int64),
    )
    return labelled, pace_of_parts(reports, characters, cost, start=(begun or [started])[0] - started)


def _of_its_own(job: ModelJob) -> ModelJob:
    """The job with a model of its own: a worker moves and casts it, and the run begins with it as it was loaded."""
    if not isinstance(job, LabelJob) or job.model is None:
        return job
    return dataclasses.replace(job, model=dataclasses.replace(job.model, module=copy.deepcopy(job.model.module)))
