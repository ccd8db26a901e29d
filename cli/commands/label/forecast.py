"""``engine label --dry-run``, and the options of pilots."""

import dataclasses
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.notes import say
from cli.output import print_summary, shows_tables
from cli.progress import progress

if TYPE_CHECKING:
    from engine import Forecast, LabelConfig

F = TypeVar("F", bound=Callable[..., Any])


def pilot_options(function: F) -> F:
    """``--pilot --dry-run --max-hours``."""
    for decorate in (
        click.option(
            "--max-hours",
            metavar="H",
            type=click.FloatRange(min=0, min_open=True),
            help="Stop as soon as it is plain that the run will take longer, before or while it labels; what was "
            "committed stays. Makes a pilot.",
        ),
        click.option(
            "--dry-run",
            is_flag=True,
            help="Label a pilot, print the forecast of the whole and write nothing: its seconds are the run's "
            "seconds_in_all, its seconds_labelling the run's seconds. [default pilot: 1,000 rows, 20,000 of fast "
            "models]",
        ),
        click.option(
            "--pilot",
            metavar="N",
            type=click.IntRange(min=1),
            help="Label N rows first, and forecast what the others will take. Rows that are three shards or more are "
            "whole shards; fewer are drawn from all, and labelled again with them.",
        ),
    ):
        function = decorate(function)
    return function


def forecast(ctx: click.Context, config: "LabelConfig", format_: str | None) -> int:
    """Print the forecast of a run, and do nothing else; the exit code."""
    import engine
    from cli.main import OK
    from engine.labelling.planning.first_look import look_first

    look_first(config)
    with progress(ctx) as tick:
        made = engine.forecast(config, tick=tick)
    print_summary(in_words(made) if shows_tables(format_) else dataclasses.asdict(made), format_)
    if made.disk_free is not None and made.disk_bytes > made.disk_free:
        say(
            f"{made.disk_bytes:,} bytes will be written, and {made.disk_free:,} are free on the disk of {made.store}",
            level=logging.WARNING,
        )
    return OK


def in_words(made: "Forecast") -> dict[str, Any]:
    """The forecast as people read it."""
    from engine.units import duration, rate, size

    low, high = duration(made.seconds_low), duration(made.seconds_high)
    pace = "" if made.rows_per_second is None else f", {rate(made.rows_per_second)} a second"
    words = {
        "label set": f"{made.name} in {made.store}",
        "rows": f"{made.rows:,} in {made.shards:,} shard{'s' * (made.shards != 1)}{pace}",
        "pilot": f"{made.pilot_rows:,} rows",
        "time": f"{duration(made.seconds)} ({low} to {high}): {duration(made.seconds_preparing)} before labelling, "
        f"{duration(made.seconds_labelling)} of labelling",
        "device time": f"{duration(made.device_seconds)} of {made.devices} × {made.device}, {made.dtype}",
        "tokens": f"{made.tokens:,}, at most {made.max_length} a row; padding {made.padding:.2f}",
        "disk": f"{size(made.disk_bytes)}" + ("" if made.disk_free is None else f" of {size(made.disk_free)} free"),
        "accuracy": "no gold"
        if made.accuracy is None
        else f"{made.accuracy:.1%} ({made.accuracy_low:.1%} to {made.accuracy_high:.1%}), {made.gold_rows:,} gold rows",
    }
    if made.part is not None:
        whole = f"{duration(made.whole_device_seconds)} of device time for {made.whole_rows:,} rows"
        words["part"] = f"{made.part}; all parts: {whole}"
    return words
