"""A classifier and input files → a file with the class and the confidence of every row, in the order of the input.

The rows are read into a folder beside the output, or in the cache folder if that is behind a URL, computed by the
runners that label, and written when all are there: a run that was killed goes on from what it had done, and the output
appears whole or not at all.
"""

import dataclasses
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from engine.compute.device import find_device, find_devices, restored_threads, worker_threads
from engine.errors import InputError
from engine.labelling.card import Settings
from engine.labelling.probe import probe_model
from engine.labelling.runners.base import Runner
from engine.labelling.runners.choose import choose_runner
from engine.labelling.token_budget import CHARACTERS_PER_TOKEN, CorpusSize
from engine.outputs.file import OutputFile, output_file
from engine.prediction.config import PredictConfig
from engine.prediction.job import ChunkReport, PredictJob, Unsure
from engine.prediction.output import Answers, answered_rows, format_of, write_answers, write_lines
from engine.prediction.planning import StageModel, pilot_of, planned, second_model
from engine.prediction.stdin import Source, source_of
from engine.prediction.summary import PredictSummary, Stage, Tally, summarise
from engine.prediction.work_folder import MODEL, Plan, WorkFolder, work_folder
from engine.progress import Tick, silent
from engine.tokens.cut_texts import cut_note

_log = logging.getLogger(__name__)
Write = Callable[[Iterator[pa.Table], pa.Schema], None]
"""Writes the output."""


def predict(
    config: PredictConfig, *, stream: TextIO | None = None, runner: Runner | None = None, tick: Tick = silent
) -> PredictSummary:
    """Write the answers of ``config.model`` for every row of the inputs into ``config.out``.

    Run again after a kill, with the same inputs and choices, it goes on from the rows that are done.

    Args:
        config: what is predicted with what.
        stream: where the lines go if ``config.out`` is None.
        runner: carries out the work; chosen by the devices if None.
        tick: called with rows done.

    Raises:
        EngineError: a model, a file or a choice cannot be used; there is no output then.
    """
    out = None if config.out is None else _checked(config.out)
    format_ = _format_of_lines(config) if out is None else format_of(out, config.format)
    inputs = source_of(config.inputs, config.input_format, config.columns, config.options)
    with inputs as source, restored_threads():
        if out is None:
            with tempfile.TemporaryDirectory(prefix="engine-predict-") as place:
                write = partial(write_lines, format_=format_, file=stream or sys.stdout)
                return _predict_in(WorkFolder(Path(place)), config, source, write, runner=runner, tick=tick)
        _refuse_inputs(out, source.files)
        with work_folder(out.place) as folder:
            write = partial(_write_whole, format_=format_, out=out, within=folder.path)
            _say_where(out, folder)
            return _predict_in(folder, config, source, write, runner=runner, tick=tick)


def _format_of_lines(config: PredictConfig) -> str:
    if config.format == "parquet":
        raise InputError("Parquet is no format of lines; name a file with --out, or give --format csv or jsonl")
    return config.format or "jsonl"


def _write_whole(tables: Iterator[pa.Table], schema: pa.Schema, *, format_: str, out: OutputFile, within: Path) -> None:
    with out.made(within=within) as temporary:
        write_answers(tables, schema, format_, temporary)


def _predict_in(
    folder: WorkFolder,
    config: PredictConfig,
    source: Source,
    write: Write,
    *,
    runner: Runner | None = None,
    tick: Tick = silent,
) -> PredictSummary:
    runner = runner or choose_runner(find_devices(config.devices), shared_store=True)
    first = StageModel.load(MODEL, config.model, config.revision, config)
    second = second_model(config, first)
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
    return summarise(plan, tally, stages, model=config.model, temperature=first.temperature)


def _say_where(out: OutputFile, folder: WorkFolder) -> None:
    """Say where the work of an output is kept that has no place beside it."""
    if not isinstance(out.place, Path):
        _log.info("the rows are kept in %s, and put to %s when all are answered", folder.path, out)


def _checked(name: str) -> OutputFile:
    """The output, which can appear where it is to be."""
    out = output_file(name)
    out.check()
    return out


def _refuse_inputs(out: OutputFile, files: list[str]) -> None:
    """Refuse an output that is one of the inputs, before anything is computed.

    Raises:
        InputError: it is.
    """
    if any(out.is_input(file) for file in files):
        raise InputError(f"{out} is one of the inputs; name another file with --out")
    if out.exists():
        _log.info("%s is there already, and is replaced when all rows are answered", out)


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
