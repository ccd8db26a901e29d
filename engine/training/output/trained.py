"""The report of a training, and how it is read from the ``training.json`` of a folder that is done. No torch."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import TrainingError
from engine.evaluation.evaluate import Evaluation
from engine.notebook import html_pairs
from engine.training.output.mlm_report import MlmReport, mlm_report_of
from engine.training.output.run_folder import DONE
from engine.training.state import Best, EpochReport
from engine.training.tasks.config import LoopConfig


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The report of a training.

    Attributes:
        out: folder of the result.
        start: hub id or path of the initial weights.
        procedure: in words.
        classes: class names, in order.
        rows: rows of an epoch.
        max_length: tokens a row.
        loop: hyperparameters.
        dtype: of the products; None if the training is of an earlier version.
        epochs: the result of each epoch.
        evaluation: on the evaluation rows, or None.
        evaluated: hash of these rows.
        evaluation_files: that these rows came from, as the user named them.
        teachers: for each label set that was learned from, what made it, in words.
        best: the validated state whose weights were kept, or None.
        steps: number of steps taken.
        ranks: number of processes that trained together.
        rank: of this process.
        rejected: number of input rows that were refused.
        reasons: of the first of these.
        truncated: rows of whose texts the model saw a part; None if that is not known.
        mlm: of the masked language modelling before it, or None.
    """

    out: str
    start: str
    procedure: str
    classes: list[str]
    rows: int
    max_length: int
    loop: LoopConfig
    epochs: list[EpochReport]
    evaluation: Evaluation | None
    evaluated: str | None = None
    evaluation_files: list[str] = field(default_factory=list)
    teachers: list[str] = field(default_factory=list)
    dtype: str | None = None
    best: Best | None = None
    steps: int = 0
    ranks: int = 1
    rank: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    truncated: int | None = None
    mlm: MlmReport | None = None

    @property
    def seconds(self) -> float:
        """Wall time of all steps."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def rows_per_second(self) -> float:
        """Rows trained a second, of all ranks together."""
        return sum(epoch.rows for epoch in self.epochs) / self.seconds if self.seconds else 0.0

    @property
    def waiting(self) -> float:
        """Share of `seconds` in which the next step was not ready."""
        return sum(epoch.waited for epoch in self.epochs) / self.seconds if self.seconds else 0.0

    def _repr_html_(self) -> str:
        names = ("start", "procedure", "classes", "rows", "max_length", "steps", "seconds", "rows_per_second", "dtype")
        loss = self.epochs[-1].loss if self.epochs else None
        trained = {**{name: getattr(self, name) for name in names}, "loss of the last epoch": loss}
        judged = self.evaluation._repr_html_() if self.evaluation is not None else ""
        return html_pairs(self.out, trained) + judged


def _no_classifier(folder: Path) -> TrainingError:
    return TrainingError(
        f"{folder} holds a masked language model, which engine finetune --mlm made before it learned labels; name the "
        f"folder of the classifier, {folder.parent}"
    )


def read_trained(folder: Path, *, rank: int) -> Trained:
    """The inverse of `engine.training.output.saved_model.save_trained`, for ``rank``.

    Raises:
        TrainingError: the file is damaged, or that of a masked language modelling.
    """
    try:
        report = json.loads((folder / DONE).read_text("utf-8"))
        if "start" not in report and "inputs" in report:
            raise _no_classifier(folder)
        for name in ("sources", "seconds"):
            report.pop(name)
        report["loop"] = LoopConfig(**report["loop"])
        report["epochs"] = [EpochReport(**epoch) for epoch in report["epochs"]]
        for name, kind in (("best", Best), ("evaluation", Evaluation)):
            report[name] = kind(**report[name]) if report[name] is not None else None
        if (mlm := report.get("mlm")) is not None:
            report["mlm"] = mlm_report_of(mlm)
        return Trained(**{**report, "out": str(folder), "rank": rank})
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder / DONE} is damaged ({error}); remove it, and run the same command again"
        ) from None
