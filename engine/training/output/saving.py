"""The checkpoints and metrics of one training: when they are due, and writing them.

`Saving` is told of the state after a step; only the first rank writes.
"""

import time
from pathlib import Path

from engine.errors import TrainingError
from engine.training.output.checkpoint import Checkpoint, Checkpoints
from engine.training.output.metrics_log import MetricsLog, lines_apart
from engine.training.state import Best, TrainState
from engine.training.tasks.config import SavingConfig


class Saving:
    """Writes the checkpoints and metrics of one training.

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
        self._metrics: MetricsLog | None = None
        self._last_saved = time.monotonic()

    def begin(self, done: int, *, first: bool) -> None:
        """Continue after step ``done``; only the ``first`` rank writes anything."""
        if first:
            self.checkpoints.sweep()
            self._metrics = MetricsLog(self._folder, report_to=self._config.report_to, step=done)
        self._last_saved = time.monotonic()

    @staticmethod
    def is_line_due(done: int, *, total: int) -> bool:
        """Whether step ``done`` of ``total`` ends a line of metrics."""
        return done % lines_apart(total) == 0 or done == total

    def is_checkpoint_due(self, done: int) -> bool:
        """Whether the configured steps or seconds have passed since the last checkpoint."""
        if self._config.every_steps is not None:
            return done % self._config.every_steps == 0
        return time.monotonic() - self._last_saved >= self._config.every_seconds

    def log(self, state: TrainState, *, learning_rate: float) -> None:
        """Write a line of metrics on the steps since the last one; ``learning_rate`` is that of the last step."""
        line = state.take_line()
        self._add(
            state,
            loss=line.loss / line.rows,
            learning_rate=learning_rate,
            gradient_norm=state.norm,
            rows=line.rows,
            rows_per_second=round(line.rows / line.seconds, 1),
        )

    def log_validation(self, state: TrainState, figures: dict[str, float]) -> None:
        """Write a line with the figures of a validation."""
        self._add(state, **{f"validation_{name}": value for name, value in figures.items()})

    def save(self, checkpoint: Checkpoint, state: TrainState) -> None:
        """Write a checkpoint of ``state``."""
        self.checkpoints.write(state.done, checkpoint, best=state.best.step if state.best else None)
        self._last_saved = time.monotonic()

    def best_checkpoint(self, best: Best) -> Checkpoint:
        """The checkpoint of the best validated state.

        Raises:
            TrainingError: it is damaged or missing.
        """
        checkpoint = self.checkpoints.read(best.step)
        if checkpoint is None:
            raise TrainingError(
                f"the best checkpoint, {self.checkpoints.place(best.step)}, is damaged; remove the checkpoints "
                "from there on and run the same command again"
            )
        return checkpoint

    def end(self) -> None:
        """Close the metrics; nothing more is written."""
        if self._metrics is not None:
            self._metrics.close()

    def _add(self, state: TrainState, **figures: float) -> None:
        if self._metrics is not None:
            self._metrics.add({"step": state.done, "epoch": state.epoch + 1, **figures})
