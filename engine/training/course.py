"""How far a training is and how it went, as a checkpoint keeps it; and where checkpoints and metrics go."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import TrainingError
from engine.model import Classifier
from engine.training.checkpoint import Checkpoint, Checkpoints
from engine.training.history import NONE, TENSORBOARD, History, lines_apart
from engine.training.ranks import Ranks

LOWER_IS_BETTER = {"accuracy": False, "macro_f1": False, "log_loss": True}
Judge = Callable[[Classifier, Ranks], dict[str, float]]
"""(model, ranks) → figures of the model on held-out rows; every rank is given the same ones."""


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What one epoch came to.

    Attributes:
        epoch: from 1.
        loss: mean over its rows.
        rows: how many, of all ranks.
        seconds: wall time of its steps.
        waited: of that, seconds in which the next step was not ready.
    """

    epoch: int
    loss: float
    rows: int
    seconds: float
    waited: float


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best state so far.

    Attributes:
        step: of all epochs' steps.
        figures: that it had.
    """

    step: int
    figures: dict[str, float]


@dataclass(kw_only=True)
class _Sums:
    """Of some steps side by side."""

    loss: float = 0.0
    rows: int = 0
    seconds: float = 0.0
    waited: float = 0.0


@dataclass(kw_only=True)
class Course:
    """Where a training is.

    Attributes:
        done: steps, of all epochs.
        epoch: from 0.
        running: of this epoch.
        line: since the last line of metrics.
        norm: of the last gradient, before it was clipped.
        reports: of the epochs that are done.
        best: the best state that was validated.
        worse: how many have been validated since then.
        stopped: whether it stops before the last step.
    """

    done: int = 0
    epoch: int = 0
    running: _Sums = field(default_factory=_Sums)
    line: _Sums = field(default_factory=_Sums)
    norm: float = 0.0
    reports: list[EpochReport] = field(default_factory=list)
    best: Best | None = None
    worse: int = 0
    stopped: bool = False

    @classmethod
    def of(cls, state: dict[str, Any]) -> "Course":
        """The inverse of `state`."""
        best = Best(**state["best"]) if state["best"] is not None else None
        reports = [EpochReport(**report) for report in state["reports"]]
        sums = {name: _Sums(**state[name]) for name in ("running", "line")}
        return cls(**{**state, **sums, "best": best, "reports": reports})

    def state(self) -> dict[str, Any]:
        """What JSON can say of it, without loss."""
        return dataclasses.asdict(self)

    @property
    def mean_loss(self) -> float:
        """Of this epoch so far."""
        return self.running.loss / max(1, self.running.rows)

    def add(self, *, loss: float, norm: float, rows: int, seconds: float, waited: float) -> None:
        """Count a step."""
        self.done += 1
        self.norm = norm
        for sums in (self.running, self.line):
            sums.loss += loss
            sums.rows += rows
            sums.seconds += seconds
            sums.waited += waited

    def end_epoch(self) -> None:
        """Report the epoch, and begin the next one."""
        sums = self.running
        report = EpochReport(
            epoch=self.epoch + 1,
            loss=self.mean_loss,
            rows=sums.rows,
            seconds=round(sums.seconds, 3),
            waited=round(sums.waited, 3),
        )
        self.reports.append(report)
        self.epoch, self.running = self.epoch + 1, _Sums()

    def judge(self, figures: dict[str, float], *, by: str, patience: int | None) -> None:
        """Take the state that was just validated for the best one, if it is; stop after ``patience`` that are not."""
        sign = -1 if LOWER_IS_BETTER[by] else 1
        best = math.nan if self.best is None else self.best.figures[by]
        if math.isnan(best) or sign * figures[by] > sign * best:
            self.best, self.worse = Best(step=self.done, figures=figures), 0
        else:
            self.worse += 1
        self.stopped = patience is not None and self.worse >= patience


@dataclass(frozen=True, kw_only=True)
class Validating:
    """How a model is judged on its way.

    Attributes:
        judge: gives the figures.
        every: steps from one time to the next; at the end of each epoch where None.
        by: the figure by which the best state is chosen.
        patience: stop when so many in a row are not better; never where None.
    """

    judge: Judge
    every: int | None = None
    by: str = "accuracy"
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.by not in LOWER_IS_BETTER:
            raise TrainingError(f"--best-by is {self.by!r}; it is one of {', '.join(LOWER_IS_BETTER)}")


@dataclass(frozen=True, kw_only=True)
class SavingConfig:
    """When checkpoints are written, and where metrics go.

    Attributes:
        every_steps: steps from one checkpoint to the next; by time where None.
        every_seconds: seconds from one to the next, where they are not by steps.
        keep: how many of the last ones stay.
        report_to: ``none`` or ``tensorboard``, beside ``metrics.jsonl``.
    """

    every_steps: int | None = None
    every_seconds: float = 600.0
    keep: int = 2
    report_to: str = NONE

    def __post_init__(self) -> None:
        if self.report_to not in (NONE, TENSORBOARD):
            raise TrainingError(f"--report-to is {self.report_to!r}; it is {NONE} or {TENSORBOARD}")
        if self.keep < 1:
            raise TrainingError(f"--keep is {self.keep}; at least the last checkpoint must stay")
        if (self.every_steps is not None and self.every_steps < 1) or self.every_seconds <= 0:
            raise TrainingError("--checkpoint-every must be at least one step, or more than no time")


class Saving:
    """Writes checkpoints and metrics of one training.

    Args:
        folder: of the training.
        config: when and where.
        checkpoints: of the training.

    Attributes:
        checkpoints: the same.
    """

    def __init__(self, folder: Path, config: SavingConfig, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self._folder = folder
        self._config = config
        self._history: History | None = None
        self._last = time.monotonic()

    def begin(self, done: int, *, first: bool) -> None:
        """Go on behind step ``done``; only the ``first`` rank writes anything."""
        if first:
            self.checkpoints.sweep()
            self._history = History(self._folder, report_to=self._config.report_to, step=done)
        self._last = time.monotonic()

    def log(self, course: Course, learning_rate: float, *, total: int) -> None:
        """Write a line of metrics, where it is time to; after the step that ``course`` has counted last."""
        if course.done % lines_apart(total) and course.done != total:
            return
        line, course.line = course.line, _Sums()
        self._add(
            course,
            loss=line.loss / line.rows,
            learning_rate=learning_rate,
            gradient_norm=course.norm,
            rows=line.rows,
            rows_per_second=round(line.rows / line.seconds, 1),
        )

    def log_validation(self, course: Course, figures: dict[str, float]) -> None:
        """Write what a validation came to."""
        self._add(course, **{f"validation_{name}": value for name, value in figures.items()})

    def _add(self, course: Course, **figures: float) -> None:
        if self._history is not None:
            self._history.add({"step": course.done, "epoch": course.epoch + 1, **figures})

    def is_due(self, done: int) -> bool:
        """Whether it is time for a checkpoint."""
        if self._config.every_steps is not None:
            return done % self._config.every_steps == 0
        return time.monotonic() - self._last >= self._config.every_seconds

    def save(self, checkpoint: Checkpoint, course: Course) -> None:
        """Write a checkpoint."""
        self.checkpoints.write(course.done, checkpoint, best=course.best.step if course.best else None)
        self._last = time.monotonic()

    def end(self) -> None:
        """Nothing more is written."""
        if self._history is not None:
            self._history.close()
