"""The report of a training, and how it is read from the ``training.json`` of a folder that is done. No torch."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.errors import TrainingError
from engine.evaluation.evaluate import Evaluation
from engine.notebook import html_pairs
from engine.training.output.mlm_report import MlmReport, mlm_report_of
from engine.training.output.run_folder import read_report
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


def read_trained(folder: Path, *, rank: int) -> Trained:
    """The inverse of `engine.training.output.saved_model.save_trained`, for ``rank``.

    Raises:
        TrainingError: the file is damaged, or that of a masked language modelling.
    """
    trained = read_report(folder, _trained_of)
    if trained is None:
        raise TrainingError(
            f"{folder} holds a masked language model, which engine finetune --mlm made before it learned labels; name "
            f"the folder of the classifier, {folder.parent}"
        )
    return replace(trained, out=str(folder), rank=rank)


def _trained_of(report: dict[str, Any]) -> Trained | None:
    """The report of a classifier; None if it is that of a masked language modelling."""
    if "start" not in report and "inputs" in report:
        return None
    for name in ("sources", "seconds"):
        report.pop(name)
    report["loop"] = LoopConfig(**report["loop"])
    report["epochs"] = [EpochReport(**epoch) for epoch in report["epochs"]]
    kinds = (("best", Best), ("evaluation", Evaluation))
    made = {name: kind(**report[name]) if report[name] is not None else None for name, kind in kinds}
    mlm = report.get("mlm")
    return Trained(**{**report, **made, "mlm": None if mlm is None else mlm_report_of(mlm)})
