"""A work folder, models and inputs → the output of a prediction."""

import dataclasses
import logging
import shlex
import time
from collections.abc import Callable, Iterator

import pyarrow as pa

from engine.compute.device import find_device, find_devices, warn_if_emulated, warn_if_shared, worker_threads
from engine.inputs.messages import counted
from engine.labelling.card import Settings
from engine.labelling.probe import check_choices, probe_model
from engine.labelling.runners.base import Runner
from engine.labelling.runners.choose import choose_runner
from engine.labelling.token_budget import CHARACTERS_PER_TOKEN, CorpusSize
from engine.prediction.config import PredictConfig
from engine.prediction.job import ChunkReport, PredictJob, Unsure
from engine.prediction.output import Answers, answered_rows
from engine.prediction.planning import StageModel, pilot_of, planned, second_model
from engine.prediction.stdin import Source
from engine.prediction.summary import PredictSummary, Stage, Tally, summarise
from engine.prediction.work_folder import MODEL, Plan, WorkFolder
from engine.progress import Tick
from engine.tokens.cut_texts import cut_note

_log = logging.getLogger(__name__)
Write = Callable[[Iterator[pa.Table], pa.Schema], None]
"""Writes the output."""


def predict_in(
    folder: WorkFolder,
    config: PredictConfig,
    source: Source,
    write: Write,
    *,
    runner: Runner | None,
    tick: Tick,
) -> PredictSummary:
    """As `engine.prediction.predict.predict`.

    Args:
        folder: where the rows are read into.
        config: what is predicted with what.
        source: the inputs.
        write: writes the output.
        runner: carries out the work; chosen by the devices if None.
        tick: called with rows done.
    """
    runner = runner or choose_runner(find_devices(config.devices), shared_store=True)
    warn_if_shared(runner.devices)
    first = StageModel.load(MODEL, config.model, config.revision, config)
    second = second_model(config, first)
    for one in [first, *([second] if second else [])]:
        check_choices(one.model, config.choices, runner)
    plan = planned(folder, source, config, [first, *([second] if second else [])], runner, tick)
    stages = [_run(folder, plan, first, config, runner, tick)]
    if second is not None:
        unsure = Unsure(threshold=second.threshold, temperature=first.temperature)
        stages.append(_run(folder, plan, second, config, runner, tick, unsure=unsure))
    answers = Answers(
        classes=first.model.classes,
        temperature=first.temperature,
        probabilities=config.probabilities,
        deferred=second is not None,
        deferred_order=() if second is None else second.order,
        deferred_temperature=1.0 if second is None else second.temperature,
    )
    tally = Tally(answers.classes)
    write(tally.counted(answered_rows(folder, len(plan.chunks), answers)), answers.schema())
    length, longest = stages[0].settings.max_length, first.model.longest
    if said := cut_note(tally.truncated, tally.rows, length=length, longest=longest):
        _log.info("%s", said)
    if second is not None:
        _say_one_sided(tally, second.threshold, first=config.model, second=stages[1].model)
    return summarise(plan, tally, stages, model=config.model, temperature=first.temperature)


def _say_one_sided(tally: Tally, threshold: float, *, first: str, second: str) -> None:
    """Say so if one of two models answered all rows: the threshold is no use then."""
    if not tally.answered or 0 < tally.deferred < tally.answered:
        return
    what, who = ("below", second) if tally.deferred else ("above", first)
    _log.warning(
        "the confidence of %s in every row is %s the threshold %.4g, so that %s answered all %s. `engine eval %s "
        "LABELLED --defer-to %s --target ACCURACY` chooses a threshold",
        first,
        what,
        threshold,
        who,
        counted(tally.answered, "row"),
        shlex.quote(first),
        shlex.quote(second),
    )


def _run(
    folder: WorkFolder,
    plan: Plan,
    one: StageModel,
    config: PredictConfig,
    runner: Runner,
    tick: Tick,
    *,
    unsure: Unsure | None = None,
) -> Stage:
    """Compute what a stage lacks."""
    started = time.perf_counter()
    device, threads = find_device(runner.devices[0]), worker_threads(runner.devices)
    if one.stage in plan.settings:
        settings = Settings(**plan.settings[one.stage])
    else:
        size = CorpusSize(tokens=plan.characters / CHARACTERS_PER_TOKEN, pilot=pilot_of(folder, plan))
        settings = probe_model(one.model, config.choices, device, size, threads=threads, tick=tick)
        warn_if_emulated(settings.dtype, device, remedy="Leave --dtype out")
        plan.settings[one.stage] = dataclasses.asdict(settings)
        folder.write_plan(plan)
    job = PredictJob(
        folder=folder,
        stage=one.stage,
        model_name=one.model.source,
        revision=one.model.revision,
        weights_sha256=one.weights,
        settings=settings,
        threads=threads,
        workers=len(runner.devices),
        unsure=unsure,
        model=one.model,
    )
    missing = [chunk for chunk in range(len(plan.chunks)) if not folder.has_part(one.stage, chunk)]
    progress = _Progress(plan, missing, one.stage, tick)
    runner.run(job, missing, done=progress.done, tick=progress.tick)
    return Stage(
        model=one.model.source,
        settings=settings,
        devices=runner.devices,
        reports=progress.reports,
        seconds=time.perf_counter() - started,
    )


class _Progress:
    """Rows done of a stage."""

    def __init__(self, plan: Plan, missing: list[int], stage: str, tick: Tick) -> None:
        self.reports: list[ChunkReport] = []
        self._plan = plan
        self._what = "predicting" if stage == MODEL else "predicting again"
        self._rows, self._total, self._tick = 0, sum(plan.chunks[chunk] for chunk in missing), tick

    def tick(self, _what: str, rows: int, _total: int | None) -> None:
        self._tick(self._what, self._rows + rows, self._total)

    def done(self, chunk: int, report: ChunkReport | None) -> None:
        self._rows += self._plan.chunks[chunk]
        if report is not None:
            self.reports.append(report)
        self._tick(self._what, self._rows, self._total)
