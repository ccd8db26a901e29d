"""Reports of shards → the summary of a label run."""

from dataclasses import dataclass

from engine.labelling.parity_check import ParityCheck
from engine.notebook import html_pairs
from store import Store
from store.families.label_card import LabelCard, label_card
from store.format.family import Family


@dataclass(frozen=True, kw_only=True)
class ShardReport:
    """What labelling one shard took.

    Attributes:
        shard: its number.
        committed: whether this run's commit was the first.
        rows: of the shard, failed ones included.
        failed: rows whose logits were not finite.
        tokens: real ones.
        padded_tokens: tokens computed, padding included.
        flops: floating-point operations of the model, padding not counted.
        ceiling: floating-point operations a second that the device can do at most.
        seconds: of all stages, added up.
        busy_seconds: of these, those in which the device computed.
        stages: seconds in ``tokenise``, ``compute`` and ``write``.
        check: of some of its rows; None without a check.
    """

    shard: int
    committed: bool
    rows: int
    failed: int
    tokens: int
    padded_tokens: int
    flops: float
    ceiling: float
    seconds: float
    busy_seconds: float
    stages: dict[str, float]
    check: ParityCheck | None


@dataclass(frozen=True, kw_only=True)
class LabelSummary:
    """The outcome of a label run, and its speed.

    Attributes:
        store: its location.
        name: of the label set.
        rows: of the store.
        rejected: input rows that were refused when the store was made, and when rows were appended.
        rejected_given: those of them that are of inputs which the run was given, whichever run read them.
        failed: rows of the label set whose logits are null.
        failed_now: those of them that this run labelled.
        truncated: rows of the label set of whose texts the teacher saw a part.
        shards_done: shards labelled by this run.
        shards: of the store.
        shards_missing: shards of the label set that are not committed; other runs may be labelling them.
        rows_done: rows labelled by this run.
        seconds: wall time of labelling, without reading the inputs or loading the model; with several workers, from
            when the first one had loaded it. It is what a forecast calls ``seconds_labelling``.
        seconds_in_all: wall time of the run with all that comes before the labelling, which a forecast calls
            ``seconds``; None in the notes of the run, which are written before its end.
        rows_per_second: of this run; None if it labelled nothing.
        tokens_per_second: real tokens.
        padding: computed tokens per real token.
        model_tflops: floating-point operations of the model, padding not counted, in 10^12 a second.
        utilisation: the same as a share of the rate that large matrix products reach on the devices.
        waiting: share of the workers' time in which their device did not compute.
        checked: rows that were computed again, alone and in fp32.
        largest_difference: of a stored logit to that of fp32.
        flips: checked rows whose prediction differs.
        agreement: share of the checked rows whose prediction is the same.
        stages: share of the workers' time in ``tokenise``, ``compute`` and ``write``.
        device: kind.
        devices: of its workers, one for each; none where a run had nothing to label, and needed none.
        dtype: of the computation.
        processor: the CPU of the run that began the label set; None if its devices are GPUs.
    """

    store: str
    name: str
    rows: int
    rejected: int
    rejected_given: int = 0
    failed: int
    failed_now: int = 0
    truncated: int
    shards_done: int
    shards: int
    shards_missing: int
    rows_done: int
    seconds: float
    rows_per_second: float | None
    tokens_per_second: float | None
    padding: float | None
    model_tflops: float | None
    utilisation: float | None
    waiting: float | None
    checked: int
    largest_difference: float | None
    flips: int
    agreement: float | None
    stages: dict[str, float]
    device: str
    devices: list[str]
    dtype: str
    processor: str | None
    seconds_in_all: float | None = None

    def _repr_html_(self) -> str:
        return html_pairs(f"{self.name} of {self.store}", {**vars(self), "name": None, "store": None})


def summarise_run(
    store: Store, labels: Family, reports: list[ShardReport], *, seconds: float, devices: tuple[str, ...]
) -> LabelSummary:
    """The summary of a run.

    Args:
        store: the store.
        labels: the label set.
        reports: of the shards that the run labelled.
        seconds: as in `LabelSummary`.
        devices: of its workers.
    """
    card, records = label_card(labels) or LabelCard(), labels.records()
    checks = [report.check for report in reports if report.check is not None]
    checked, flips = sum(check.rows for check in checks), sum(check.flips for check in checks)
    rows, tokens = sum(report.rows for report in reports), sum(report.tokens for report in reports)
    return LabelSummary(
        store=store.location,
        name=labels.name,
        rows=store.layout.rows,
        rejected=store.header.rejected,
        failed=sum(record.statistics["failed"] for record in records.values()),
        failed_now=sum(report.failed for report in reports),
        truncated=sum(record.statistics["truncated"] for record in records.values()),
        shards_done=len(reports),
        shards=store.layout.shards,
        shards_missing=store.layout.shards - len(records),
        rows_done=rows,
        seconds=round(seconds, 3),
        rows_per_second=round(rows / seconds, 1) if rows else None,
        tokens_per_second=round(tokens / seconds, 1) if rows else None,
        padding=round(sum(report.padded_tokens for report in reports) / tokens, 4) if tokens else None,
        model_tflops=round(sum(report.flops for report in reports) / seconds / 1e12, 4) if rows else None,
        utilisation=_utilisation(reports, seconds * _count_devices(devices)) if rows else None,
        waiting=_waiting(reports, seconds * len(devices)) if rows else None,
        checked=checked,
        largest_difference=max((check.largest_difference for check in checks), default=None),
        flips=flips,
        agreement=round(1 - flips / checked, 4) if checked else None,
        stages=_shares(reports),
        device=card.device or "unknown",
        devices=list(devices),
        dtype=card.dtype or "unknown",
        processor=card.processor,
    )


def _count_devices(devices: tuple[str, ...]) -> int:
    """How many devices compute: the workers of a CPU have their own threads, those of one GPU share it."""
    return len(devices) if devices[0] == "cpu" else len(set(devices))


def _utilisation(reports: list[ShardReport], seconds: float) -> float:
    """Operations of the model as a share of those that the devices could do in ``seconds``."""
    ceiling = max(report.ceiling for report in reports)
    return round(sum(report.flops for report in reports) / (seconds * ceiling), 4)


def _waiting(reports: list[ShardReport], seconds: float) -> float:
    """Share of ``seconds`` in which no device computed."""
    return round(max(0.0, 1 - sum(report.busy_seconds for report in reports) / seconds), 4)


def _shares(reports: list[ShardReport]) -> dict[str, float]:
    """Share of each stage in the time that all workers spent on shards."""
    busy = sum(report.seconds for report in reports)
    stages: dict[str, float] = {}
    for report in reports:
        for stage, spent in report.stages.items():
            stages[stage] = stages.get(stage, 0.0) + spent / busy
    return {stage: round(share, 4) for stage, share in stages.items()}
