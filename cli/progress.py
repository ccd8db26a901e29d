"""How far work is → stderr: a bar on a terminal; elsewhere, as in the log of a batch job, a line now and then."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from engine.progress import Tick, silent
from engine.units import duration, rate

LINE_SECONDS = 30.0
"""From line to line where there is no terminal."""
_FIRST_SECONDS = 10.0
_log = logging.getLogger(__name__)


@contextmanager
def progress(ctx: click.Context) -> Iterator[Tick]:
    """A function that shows how far work is, on stderr; nothing with ``--quiet``."""
    if (ctx.obj or {}).get("quiet"):
        yield silent
    elif sys.stderr.isatty():
        with _bars() as tick:
            yield tick
    else:
        yield Lines()


class Lines:
    """A `Tick` that writes a line to the log now and then; work that ends within seconds is told in no line."""

    def __init__(self) -> None:
        self._said = time.monotonic() - LINE_SECONDS + _FIRST_SECONDS
        self._stage = ""
        self._begun = (self._said, 0)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Write a line if the last one is `LINE_SECONDS` old."""
        now = time.monotonic()
        stage = stage_of(what)
        then, before = self._begun
        if stage != self._stage or done <= before:  # the clock starts with the first of the work that is done
            self._stage, self._begun = stage, (now, done)
            then, before = self._begun
        if now - self._said < LINE_SECONDS:
            return
        self._said = now
        pace = (done - before) / (now - then) if now > then else 0.0
        _log.info("%s", line(what, done, total, pace), extra={"fields": figures(what, done, total, pace)})


def stage_of(what: str) -> str:
    """The part of ``what`` that stays the same from one tick to the next: ``training, loss 0.3`` → ``training``."""
    return what.partition(",")[0]


def figures(what: str, done: int, total: int | None, pace: float) -> dict[str, str | int | float | None]:
    """What `line` says, as values; None is what is not known."""
    is_known = pace > 0
    left = (total - done) / pace if is_known and total and total > done else None
    return {
        "what": what,
        "done": done,
        "total": total,
        "rate": round(pace, 3) if is_known else None,
        "seconds_left": None if left is None else round(left, 1),
    }


def line(what: str, done: int, total: int | None, pace: float) -> str:
    """``labelling: 500 of 1,000 (50%), 25 a second, 20 s left``.

    Args:
        what: is being done.
        done: how much of it is.
        total: of how much; None if it is not known.
        pace: how much a second, since it began; 0 if it is not known.
    """
    of = f" of {total:,} ({done / total:.0%})" if total else ""
    parts = [f"{done:,}{of}"] if done or total else []
    if pace > 0:
        parts.append(f"{rate(pace)} a second")
        parts += [f"{duration((total - done) / pace)} left"] if total and total > done else []
    return f"{what}: {', '.join(parts)}" if parts else what


@contextmanager
def _bars() -> Iterator[Tick]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def tick(what: str, done: int, total: int | None) -> None:
            stage = stage_of(what)
            if stage not in tasks:
                for task in tasks.values():
                    shown.update(task, visible=False)
                tasks[stage] = shown.add_task(what, total=total, rate="")
            speed = shown.tasks[tasks[stage]].speed
            pace = f"{speed:,.0f}/s" if speed else ""
            shown.update(tasks[stage], visible=True, description=what, completed=done, total=total, rate=pace)

        yield tick
