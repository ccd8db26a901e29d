"""A classifier and input files → a file with the class and the confidence of every row, in the order of the input.

The rows are read into a folder beside the output, computed by the runners that label, and written when all are there:
a run that was killed goes on from what it had done, and the output appears whole or not at all. torch is imported when
the request has been looked at: a mistake in it is said before.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pyarrow as pa

from engine.errors import InputError
from engine.labelling.planning.first_look import look_at_inputs
from engine.labelling.runners.base import Runner
from engine.models.loading.first_look import look_for_model
from engine.prediction.config import PredictConfig
from engine.prediction.output import format_of, write_answers, write_lines
from engine.prediction.stdin import Source, source_of
from engine.prediction.work_folder import WorkFolder, work_folder
from engine.progress import Tick, silent
from store.storage.atomic_file import replaced

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
    inputs = source_of(config.inputs, config.input_format, config.columns, config.options)
    with inputs as source:
        _look_at(config, source)
        if config.out is None:
            with tempfile.TemporaryDirectory(prefix="engine-predict-") as place:
                write = partial(write_lines, format_=_format_of_lines(config), file=stream or sys.stdout)
                return _predict_in(WorkFolder(Path(place)), config, source, write, runner=runner, tick=tick)
        out = Path(config.out)
        _check_place(out, source.files)
        write = partial(_write_whole, format_=format_of(out, config.format), out=out)
        with work_folder(out) as folder:
            return _predict_in(folder, config, source, write, runner=runner, tick=tick)


def _format_of_lines(config: PredictConfig) -> str:
    if config.format == "parquet":
        raise InputError("Parquet is no format of lines; name a file with --out, or give --format csv or jsonl")
    return config.format or "jsonl"


def _write_whole(tables: Iterator[pa.Table], schema: pa.Schema, *, format_: str, out: Path) -> None:
    with replaced(out) as temporary:
        write_answers(tables, schema, format_, temporary)


def _look_at(config: PredictConfig, source: Source) -> None:
    """Refuse models and inputs that cannot be used, as far as their files show it."""
    look_for_model(config.model, config.revision)
    if config.cascade is not None:
        look_for_model(config.cascade.model, config.cascade.revision)
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


def _check_place(out: Path, files: list[str]) -> None:
    """Refuse a place where the output cannot appear, before anything is computed.

    Raises:
        InputError: it is a folder or one of the inputs, or its folder is not there.
    """
    if out.is_dir():
        raise InputError(f"{out} is a folder; name a file in it with --out")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent}; make it first")
    if any(out.exists() and out.samefile(file) for file in files):
        raise InputError(f"{out} is one of the inputs; name another file with --out")
    if out.exists():
        _log.info("%s is there already, and is replaced when all rows are answered", out)
