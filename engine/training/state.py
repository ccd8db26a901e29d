"""How far a training is and how it went, as a checkpoint keeps it; and where checkpoints and metrics go."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.models.classifier import Classifier
from engine.training.distributed import Ranks

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
class Sums:
    """Of some steps side by side."""

    loss: float = 0.0
    rows: int = 0
    seconds: float = 0.0
    waited: float = 0.0


@dataclass(kw_only=True)
class TrainState:
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
    running: Sums = field(default_factory=Sums)
    line: Sums = field(default_factory=Sums)
    norm: float = 0.0
    reports: list[EpochReport] = field(default_factory=list)
    best: Best | None = None
    worse: int = 0
    stopped: bool = False

    @classmethod
    def of(cls, state: dict[str, Any]) -> "TrainState":
        """The inverse of `state`."""
        best = Best(**state["best"]) if state["best"] is not None else None
        reports = [EpochReport(**report) for report in state["reports"]]
        sums = {name: Sums(**state[name]) for name in ("running", "line")}
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
        self.epoch, self.running = self.epoch + 1, Sums()

    def judge(self, figures: dict[str, float], *, by: str, patience: int | None) -> None:
        """Take the state that was just validated for the best one, if it is; stop after ``patience`` that are not."""
        sign = -1 if LOWER_IS_BETTER[by] else 1
        best = math.nan if self.best is None else self.best.figures[by]
        if math.isnan(best) or sign * figures[by] > sign * best:
            self.best, self.worse = Best(step=self.done, figures=figures), 0
        else:
            self.worse += 1
        self.stopped = patience is not None and self.worse >= patience
