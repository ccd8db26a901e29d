"""What a prediction did, in figures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from engine.labelling.card import Settings
from engine.prediction.job import ChunkReport
from engine.prediction.output import Answered
from engine.prediction.work_folder import Plan


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one model did.

    Attributes:
        model: hub id or path.
        settings: how it computed.
        devices: of its workers.
        reports: of the files of texts that this run computed.
        seconds: of this run, with the model put on its devices.
    """

    model: str
    settings: Settings
    devices: tuple[str, ...]
    reports: list[ChunkReport]
    seconds: float

    @property
    def rows(self) -> int:
        """That this run computed."""
        return sum(report.rows for report in self.reports)

    def figures(self) -> dict[str, Any]:
        """Speed, and what the comparison with fp32 gave."""
        checks = [report.check for report in self.reports if report.check is not None]
        return {
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows / self.seconds, 1) if self.seconds else 0.0,
            "checked": sum(check.rows for check in checks),
            "largest_difference": max((check.largest_difference for check in checks), default=None),
            "flips": sum(check.flips for check in checks),
        }


@dataclass(frozen=True, kw_only=True)
class PredictSummary:
    """What a prediction did.

    Attributes:
        model: hub id or path.
        rows: of the input, and of the output.
        rejected: rows of these that were refused.
        failed: rows for which the model gives no finite logits.
        truncated: rows of whose texts the model saw a part.
        classes: rows by predicted class.
        dtype: of the computation.
        devices: of the workers.
        computed: rows that this run computed; others were done by an earlier one.
        seconds: that computing took.
        rows_per_second: computed.
        checked: rows compared with fp32.
        largest_difference: of a logit to that in fp32; None without a check.
        flips: of the compared rows, those with another prediction.
        temperature: that logits were divided by.
        cascade: what the second model did; empty without one.
        reasons: of the first refused rows.
    """

    model: str
    rows: int
    rejected: int
    failed: int
    truncated: int
    classes: dict[str, int]
    dtype: str
    devices: list[str]
    computed: int
    seconds: float
    rows_per_second: float
    checked: int
    largest_difference: float | None
    flips: int
    temperature: float
    cascade: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


class Tally:
    """Counts rows while they are written.

    Args:
        classes: names.
    """

    def __init__(self, classes: list[str]) -> None:
        self.classes = dict.fromkeys(classes, 0)
        self.rows = self.answered = self.deferred = self.truncated = 0

    def counted(self, answered: Iterable[Answered]) -> Iterator[pa.Table]:
        """The tables of ``answered``, each when it is asked for."""
        for one in answered:
            for pair in one.table["class"].drop_null().value_counts().to_pylist():
                self.classes[pair["values"]] += pair["counts"]
                self.answered += pair["counts"]
            self.rows += one.table.num_rows
            self.deferred += one.deferred
            self.truncated += one.truncated
            yield one.table


def summarise(plan: Plan, tally: Tally, stages: list[Stage], *, model: str, temperature: float) -> PredictSummary:
    """The summary of a prediction whose rows are counted in ``tally``."""
    first, cascade = stages[0], dict[str, Any]()
    for second in stages[1:]:
        share = round(tally.deferred / tally.answered, 5) if tally.answered else 0.0
        cascade = {"model": second.model, "rows": tally.deferred, "share": share, **second.figures()}
    return PredictSummary(
        model=model,
        rows=tally.rows,
        rejected=plan.rejected,
        failed=tally.rows - tally.answered - plan.rejected,
        truncated=tally.truncated,
        classes=tally.classes,
        dtype=first.settings.dtype,
        devices=list(first.devices),
        computed=first.rows,
        temperature=round(temperature, 5),
        cascade=cascade,
        reasons=plan.reasons,
        **first.figures(),
    )
