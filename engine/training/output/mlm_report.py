"""The report of a masked language modelling ⇄ ``training.json`` in its folder. No torch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.training.output.run_folder import DONE, read_report
from engine.training.state import EpochReport


@dataclass(frozen=True, kw_only=True)
class MlmReport:
    """A masked language modelling that is done.

    Attributes:
        inputs: the texts, as the user named them.
        rows: texts of an epoch.
        rejected: input rows that were refused.
        reasons: of the first of these.
        steps: number of steps taken.
        dtype: of the products.
        weights_sha256: of the files of the model.
        epochs: the result of each epoch; the loss is that of a text: the mean of its hidden tokens, in nats.
    """

    inputs: list[str]
    rows: int
    steps: int
    epochs: list[EpochReport]
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    dtype: str | None = None
    weights_sha256: str | None = None

    @property
    def loss(self) -> float:
        """Of the last epoch: the mean over texts of that over their hidden tokens, in nats."""
        return self.epochs[-1].loss

    @property
    def seconds(self) -> float:
        """Wall time of all steps."""
        return sum(epoch.seconds for epoch in self.epochs)


def mlm_report_of(values: dict[str, Any]) -> MlmReport:
    """The inverse of `dataclasses.asdict`.

    Raises:
        KeyError, TypeError: ``values`` are those of something else.
    """
    return MlmReport(**{**values, "epochs": [EpochReport(**epoch) for epoch in values["epochs"]]})


def write_mlm_report(report: MlmReport, folder: Path) -> None:
    """Write it into ``folder``, which nobody reads yet."""
    text = json.dumps(asdict(report), ensure_ascii=False, indent=1) + "\n"
    (folder / DONE).write_text(text, encoding="utf-8")


def read_mlm_report(folder: Path) -> MlmReport:
    """The report in ``folder``.

    Raises:
        TrainingError: the file is damaged.
    """
    return read_report(folder, mlm_report_of)
