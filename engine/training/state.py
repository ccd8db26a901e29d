"""The state of a training that its checkpoints keep: steps taken, sums of losses, reports of epochs, the best state.

Plain numbers that JSON keeps without loss. Knows neither model nor files.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from engine.errors import TrainingError

LOWER_IS_BETTER = {"accuracy": False, "macro_f1": False, "log_loss": True}
"""The validation figures by which the best state may be chosen."""


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """The result of one epoch.

    Attributes:
        epoch: its number, from 1.
        loss: mean over its rows.
        rows: rows of all ranks.
        seconds: wall time of its steps.
        waited: seconds of these in which the next step was not ready.
    """

    epoch: int
    loss: float
    rows: int
    seconds: float
    waited: float


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best validated state so far.

    Attributes:
        step: its number, counted over all epochs.
        figures: its validation figures by name.
    """

    step: int
    figures: dict[str, float]


@dataclass(kw_only=True)
class Sums:
    """Sums over some steps.

    Attributes:
        loss: of the rows.
        rows: of all ranks.
        seconds: wall time.
        waited: seconds in which the next step was not ready.
    """

    loss: float = 0.0
    rows: int = 0
    seconds: float = 0.0
    waited: float = 0.0


@dataclass(kw_only=True)
class TrainState:
    """The progress of a training.

    Attributes:
        done: steps taken, of all epochs.
        epoch: the current one, from 0.
        running: sums over this epoch.
        line: sums since the last line of metrics.
        norm: of the last gradient, before clipping.
        reports: of the finished epochs.
        best: the best validated state.
        worse: validations since then.
        stopped: whether the training ends early.
        budget: tokens of a micro-batch; not decided yet if None, as in checkpoints of earlier versions.
        dtype: of the products, ``fp32`` or ``bf16``; None likewise.
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
    budget: int | None = None
    dtype: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values, without loss."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "TrainState":
        """The inverse of `to_json`.

        Raises:
            TrainingError: ``raw`` has other fields, as that of another version.
        """
        try:
            best = Best(**raw["best"]) if raw["best"] is not None else None
            reports = [EpochReport(**report) for report in raw["reports"]]
            sums = {name: Sums(**raw[name]) for name in ("running", "line")}
            return cls(**{**raw, **sums, "best": best, "reports": reports})
        except (KeyError, TypeError) as error:
            raise TrainingError(
                f"the checkpoint was written by another version of this program ({error!r}); go on with that one, or "
                "name a new folder with --out"
            ) from None

    @property
    def mean_loss(self) -> float:
        """Mean over the rows of this epoch so far; 0 before the first."""
        return self.running.loss / max(1, self.running.rows)

    def add(self, *, loss: float, norm: float, rows: int, seconds: float, waited: float) -> None:
        """Count one step."""
        self.done += 1
        self.norm = norm
        for sums in (self.running, self.line):
            sums.loss += loss
            sums.rows += rows
            sums.seconds += seconds
            sums.waited += waited

    def take_line(self) -> Sums:
        """The sums since the last line of metrics, which begin again from zero."""
        line, self.line = self.line, Sums()
        return line

    def end_epoch(self) -> None:
        """Report this epoch and begin the next one."""
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

    def add_validation(self, figures: dict[str, float], *, by: str, patience: int | None) -> None:
        """Compare the current state with the best one.

        Args:
            figures: of the current state, by name.
            by: the figure that decides; one of `LOWER_IS_BETTER`.
            patience: stop after so many validations in a row that are not better; never if None.
        """
        sign = -1 if LOWER_IS_BETTER[by] else 1
        best = math.nan if self.best is None else self.best.figures[by]
        if math.isnan(best) or sign * figures[by] > sign * best:
            self.best, self.worse = Best(step=self.done, figures=figures), 0
        else:
            self.worse += 1
        self.stopped = patience is not None and self.worse >= patience
