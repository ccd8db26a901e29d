"""A classifier and input files → a file with the class and the confidence of every row, in the order of the input.

The rows are read into a folder beside the output, or in the cache folder if that is behind a URL, computed by the
runners that label, and written when all are there: a run that was killed goes on from what it had done, and the output
appears whole or not at all. torch is imported when the request has been looked at: a mistake in it is said before.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pyarrow as pa

from engine.errors import InputError
from engine.labelling.planning.first_look import look_at_inputs
from engine.labelling.runners.base import Runner
from engine.models.heads import order_of_classes
from engine.models.loading.first_look import find_model
from engine.models.notes.columns_read import as_read_for
from engine.outputs.file import OutputFile, output_file
from engine.prediction.cascade_card import held_cascade
from engine.prediction.config import PredictConfig
from engine.prediction.output import format_of, write_answers, write_lines
from engine.prediction.stdin import Source, source_of
from engine.prediction.temperature import held_temperature
from engine.prediction.work_folder import WorkFolder, work_folder
from engine.progress import Tick, silent

if TYPE_CHECKING:
    from engine.prediction.run import Write
    from engine.prediction.summary import PredictSummary

_log = logging.getLogger(__name__)


def predict(
    config: PredictConfig, *, stream: TextIO | None = None, runner: Runner | None = None, tick: Tick = silent
) -> "PredictSummary":
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
    config = replace(config, columns=as_read_for(config.columns, config.model))
    out = None if config.out is None else _checked(config.out)
    format_ = _format_of_lines(config) if out is None else format_of(out, config.format)
    inputs = source_of(config.inputs, config.input_format, config.columns, config.options)
    with inputs as source:
        _look_at(config, source)
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


def _look_at(config: PredictConfig, source: Source) -> None:
    """Refuse models and inputs that cannot be used, as far as their files show it."""
    first, cascade = find_model(config.model, config.revision), config.cascade
    if config.calibrated:
        held_temperature(first.folder, config.model)
    if cascade is not None:
        second = find_model(cascade.model, cascade.revision)
        if first.classes is not None and second.classes is not None:
            order_of_classes(config.model, first.classes, cascade.model, second.classes)
        if cascade.threshold is None:
            held_cascade(first.folder, config.model, second=cascade.model)
        if config.calibrated:
            held_temperature(second.folder, cascade.model)
    with source.named():
        look_at_inputs(source.files, config.columns, config.options)


def _predict_in(
    folder: WorkFolder,
    config: PredictConfig,
    source: Source,
    write: "Write",
    *,
    runner: Runner | None,
    tick: Tick,
) -> "PredictSummary":
    from engine.compute.device import restored_threads
    from engine.prediction.run import predict_in

    with restored_threads():
        return predict_in(folder, config, source, write, runner=runner, tick=tick)


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
