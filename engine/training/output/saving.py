"""When checkpoints and metrics are written, and where."""

import time
from dataclasses import dataclass
from pathlib import Path

from engine.errors import TrainingError
from engine.training.output.checkpoint import Checkpoint, Checkpoints
from engine.training.output.metrics_log import NONE, TENSORBOARD, MetricsLog, lines_apart
from engine.training.state import Sums, TrainState


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
        self._history: MetricsLog | None = None
        self._last = time.monotonic()

    def begin(self, done: int, *, first: bool) -> None:
        """Go on behind step ``done``; only the ``first`` rank writes anything."""
        if first:
            self.checkpoints.sweep()
            self._history = MetricsLog(self._folder, report_to=self._config.report_to, step=done)
        self._last = time.monotonic()

    def log(self, course: TrainState, learning_rate: float, *, total: int) -> None:
        """Write a line of metrics, where it is time to; after the step that ``course`` has counted last."""
        if course.done % lines_apart(total) and course.done != total:
            return
        line, course.line = course.line, Sums()
        self._add(
            course,
            loss=line.loss / line.rows,
            learning_rate=learning_rate,
            gradient_norm=course.norm,
            rows=line.rows,
            rows_per_second=round(line.rows / line.seconds, 1),
        )

    def log_validation(self, course: TrainState, figures: dict[str, float]) -> None:
        """Write what a validation came to."""
        self._add(course, **{f"validation_{name}": value for name, value in figures.items()})

    def _add(self, course: TrainState, **figures: float) -> None:
        if self._history is not None:
            self._history.add({"step": course.done, "epoch": course.epoch + 1, **figures})

    def is_due(self, done: int) -> bool:
        """Whether it is time for a checkpoint."""
        if self._config.every_steps is not None:
            return done % self._config.every_steps == 0
        return time.monotonic() - self._last >= self._config.every_seconds

    def save(self, checkpoint: Checkpoint, course: TrainState) -> None:
        """Write a checkpoint."""
        self.checkpoints.write(course.done, checkpoint, best=course.best.step if course.best else None)
        self._last = time.monotonic()

    def end(self) -> None:
        """Nothing more is written."""
        if self._history is not None:
            self._history.close()
