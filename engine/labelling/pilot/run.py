"""A label run that is planned → the watch that makes its forecast, from whole shards or from a sample of rows."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.labelling.execute import shards_to_label
from engine.labelling.pilot.accuracy import accuracy_of
from engine.labelling.pilot.estimate import Pace, RowCost, Work, estimate
from engine.labelling.pilot.facts import run_of
from engine.labelling.pilot.forecast import Forecast, Run, forecast_of, sentence
from engine.labelling.pilot.limit import TimeLimit
from engine.labelling.pilot.measure import pace_of_shards
from engine.labelling.pilot.mix.choose import choose_rows, choose_shards
from engine.labelling.pilot.mix.mix import Mix
from engine.labelling.pilot.mix.of_store import CorpusRows, labelled_rows, read_mix, texts_of
from engine.labelling.pilot.sampling import Labelled, Sample, default_rows, label_sample
from engine.labelling.pilot.watch import Tell, Watch, weights_of
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.plan import LabelPlan
from engine.labelling.runners.base import Runner
from engine.labelling.summary import ShardReport
from engine.progress import Tick
from store import Store
from store.format.family import Family

_log = logging.getLogger("engine.labelling")
_MOST = 0.25  # of the rows that are left: those whose labels are not kept are labelled twice
_COMMIT_SECONDS = 0.02
"""That a disk takes to make a file and its record durable, which a sample does not show. NVMe takes a tenth of it."""


def begin_watch(
    store: Store,
    plan: LabelPlan,
    config: LabelConfig,
    runner: Runner,
    *,
    limit: TimeLimit | None,
    tell: Tell,
    tick: Tick,
) -> Watch | None:
    """What makes the forecast of a run; None if nothing is left to do.

    If whole shards can be the pilot, the run labels them first, and the forecast comes then. Else rows drawn from all
    shards are labelled here.

    Raises:
        LabellingError: it cannot end within its limit.
    """
    store = store.memoised()
    shards = sorted(shards_to_label(store.label_set(plan.job.label_set), config.worker))
    if not shards:
        return None
    rows = config.pilot or default_rows(runner, plan.cost)
    mix, candidates, reader = read_mix(store, shards, rows=rows, tick=tick)
    run = run_of(store, plan, config, runner, mix)
    if config.pilot is not None and (chosen := choose_shards(mix, rows=rows)):
        predict = ShardPilot(store=store, plan=plan, run=run, mix=mix, reader=reader, id_bytes=plan.id_bytes)
        return Watch(pilot=chosen, predict=predict, limit=limit, tell=tell)
    drawn = choose_rows(candidates, mix, rows=min(rows, max(1, round(_MOST * mix.total))))
    sample = Sample(texts=texts_of(store, drawn.places), strata=drawn.strata, gold=drawn.gold)
    forecast, work = sample_forecast(plan, run, mix, sample, runner, classes=store.header.classes, tick=tick)
    _log.info("%s", sentence(forecast))
    tell(forecast)
    if limit is not None:
        limit.check(forecast, begun=plan.is_begun)
    return Watch(limit=limit, forecast=forecast, weights=weights_of(mix.shards, work.shards))


def sample_forecast(
    plan: LabelPlan,
    run: Run,
    mix: Mix,
    sample: Sample,
    runner: Runner,
    *,
    classes: Sequence[str],
    tick: Tick,
) -> tuple[Forecast, Work]:
    """Label a sample, keep nothing, and forecast what all of ``mix`` takes."""
    labelled, pace = label_sample(plan.job, plan.cost, sample, runner, classes=classes, tick=tick)
    pace = dataclasses.replace(pace, commit=_COMMIT_SECONDS * (2 if run.keeps_tokens else 1))
    if not run.keeps_tokens and plan.job.keep_tokens:  # they are there, and are read
        pace = dataclasses.replace(pace, prepare=0.0)
    return _predicted(plan.cost, run, mix, labelled, pace, shards=0)


@dataclass(frozen=True, kw_only=True)
class ShardPilot:
    """Makes the forecast of a run whose pilot are shards; called with the label set and their reports.

    Attributes:
        store: the store.
        plan: of the run.
        run: of the run.
        mix: of all shards that it is to label.
        reader: of the corpus.
        id_bytes: of a token id.
    """

    store: Store
    plan: LabelPlan
    run: Run
    mix: Mix
    reader: CorpusRows
    id_bytes: int

    def __call__(self, labels: Family, reports: list[ShardReport]) -> tuple[Forecast, dict[int, float]]:
        """The forecast of what is left, and seconds of each of its shards."""
        read = [self.reader.read(report.shard) for report in reports]
        found = [labelled_rows(self.store, labels.name, report.shard) for report in reports]
        records = [record for report in reports if (record := labels.record(report.shard)) is not None]
        pace = pace_of_shards(
            reports,
            [float(self.plan.cost(tokens).sum()) for tokens, _ in found],
            [int(one.characters.sum()) for one in read],
            label_bytes=sum(record.bytes for record in records) / sum(record.rows for record in records),
            id_bytes=self.id_bytes,
        )
        labelled = Labelled(
            strata=np.concatenate([one.strata for one in read]),
            tokens=np.concatenate([tokens for tokens, _ in found]),
            gold=np.concatenate([one.gold for one in read]),
            predictions=np.concatenate([predictions for _, predictions in found]),
            shards=np.concatenate(
                [np.full(len(one.rows), report.shard) for one, report in zip(read, reports, strict=True)]
            ),
        )
        left = self.mix.without([report.shard for report in reports])
        forecast, work = _predicted(self.plan.cost, self.run, left, labelled, pace, shards=len(reports))
        return forecast, weights_of(left.shards, work.shards)


def _predicted(
    cost: RowCost,
    run: Run,
    mix: Mix,
    labelled: Labelled,
    pace: Pace,
    *,
    shards: int,
) -> tuple[Forecast, Work]:
    work = estimate(mix, pace, run.crew, strata=labelled.strata, tokens=labelled.tokens, cost=cost)
    judged = labelled.gold >= 0
    right = labelled.predictions[judged] == labelled.gold[judged]
    clusters = None if labelled.shards is None else labelled.shards[judged]
    forecast = forecast_of(
        run,
        work,
        pace,
        rows=mix.total,
        pilot=(len(labelled.strata), shards),
        accuracy=accuracy_of(labelled.strata[judged], right, mix.gold, clusters=clusters),
    )
    return forecast, work
