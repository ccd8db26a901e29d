"""The runs of a recipe → the figures of its row in the table, each a mean over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.comparison.prices import Prices
from engine.comparison.results import DIRECT, DISTILLED, SELF_DISTILLED, TEACHER, ArmRun, Recipe, Results
from engine.comparison.statistics.crossed import mean_of
from engine.evaluation.metrics import confidence_bins, confusion, expected_calibration_error, f1_scores, log_loss
from store.families.labels import softmax

_TAUGHT_BY = {DISTILLED: TEACHER, SELF_DISTILLED: DIRECT}


@dataclass(frozen=True, kw_only=True)
class ArmSummary:
    """A recipe's row. What has no unit is a share from 0 to 1; means are over seeds.

    Attributes:
        arm: as in `engine.comparison.results.ArmRun`.
        model: name of the start.
        parameters: number of them.
        megabytes: of the saved weights, in 10⁶ bytes.
        procedure: how it was trained, in words.
        labels: gold labels that it saw.
        text_rows: unlabelled rows that it learned from.
        seeds: number of runs.
        steps: of training, mean.
        accuracy: mean.
        low: end of its 95 % interval, over seeds and rows; with one seed over rows, of this model.
        high: the other end.
        seed_sd: standard deviation of accuracy over seeds; None with one seed.
        least: accuracy of the worst seed.
        most: accuracy of the best one.
        macro_f1: mean.
        log_loss: mean, in nats.
        ece: mean expected calibration error, 15 bins.
        agreement: mean share of test rows with the prediction of the same seed's teacher; None where there is none.
        training_seconds: mean, of one device.
        labelling_seconds: mean, of one device; None where nothing was labelled.
        rows_per_second: of prediction, median of the rounds; None if it was not measured.
        slowest: the slowest round.
        fastest: the fastest one.
        latency_ms: of one text alone, median; None likewise.
        cost: of labels and devices, its teacher's training included; None without prices.
    """

    arm: str
    model: str
    parameters: int
    megabytes: float
    procedure: str
    labels: int
    text_rows: int
    seeds: int
    steps: float
    accuracy: float
    low: float
    high: float
    seed_sd: float | None
    least: float
    most: float
    macro_f1: float
    log_loss: float
    ece: float
    agreement: float | None
    training_seconds: float
    labelling_seconds: float | None
    rows_per_second: float | None
    slowest: float | None
    fastest: float | None
    latency_ms: float | None
    cost: float | None

    @property
    def recipe(self) -> Recipe:
        """Arm and size."""
        return Recipe(arm=self.arm, labels=self.labels, pool=self.text_rows)


def summarise_arm(results: Results, recipe: Recipe, prices: Prices) -> ArmSummary:
    """The row of ``recipe``, which has a run."""
    runs = list(results.of(recipe).values())
    right = results.right(runs)
    by_seed, accuracy = right.mean(axis=1), mean_of(right)
    quality = np.array([_quality(results, run) for run in runs]).mean(axis=0)
    speed = results.speeds.get(recipe.arm) if recipe == results.main(recipe.arm) else None
    return ArmSummary(
        arm=recipe.arm,
        model=runs[0].model,
        parameters=runs[0].parameters,
        megabytes=runs[0].bytes / 1e6,
        procedure=_procedure(recipe),
        labels=recipe.labels,
        text_rows=recipe.pool,
        seeds=len(runs),
        steps=statistics.fmean(run.steps for run in runs),
        accuracy=accuracy.mean,
        low=max(0.0, accuracy.low),
        high=min(1.0, accuracy.high),
        seed_sd=float(by_seed.std(ddof=1)) if len(runs) > 1 else None,
        least=float(by_seed.min()),
        most=float(by_seed.max()),
        macro_f1=float(quality[0]),
        log_loss=float(quality[1]),
        ece=float(quality[2]),
        agreement=_agreement(results, recipe),
        training_seconds=statistics.fmean(run.training_seconds for run in runs),
        labelling_seconds=statistics.fmean(run.labelling_seconds for run in runs) if recipe.pool else None,
        rows_per_second=speed.rows_per_second if speed else None,
        slowest=min(speed.rounds) if speed else None,
        fastest=max(speed.rounds) if speed else None,
        latency_ms=speed.latency_ms if speed else None,
        cost=prices.cost(recipe.labels, device_seconds(results, recipe)) if prices.known else None,
    )


def device_seconds(results: Results, recipe: Recipe) -> float:
    """Mean seconds of one device for all that a recipe needs: training, labelling, and its teacher's training."""
    taught_by = _TAUGHT_BY.get(recipe.arm)
    runs = list(results.of(recipe).values())
    teachers = list(results.of(Recipe(arm=taught_by, labels=recipe.labels)).values()) if taught_by else []
    own = statistics.fmean(run.training_seconds + run.labelling_seconds for run in runs)
    return own + (statistics.fmean(run.training_seconds for run in teachers) if teachers else 0.0)


def reliability(results: Results, runs: Sequence[ArmRun]) -> list[dict[str, float]]:
    """Bins of confidence that have rows: ``mean_confidence``, ``accuracy`` and ``rows``, of all ``runs`` together."""
    confidence = np.concatenate([softmax(run.logits).max(axis=1) for run in runs])
    right = results.right(runs).ravel()
    rows, *sums = confidence_bins(confidence, right)
    return [
        {
            "mean_confidence": float(sums[0][one] / rows[one]),
            "accuracy": float(sums[1][one] / rows[one]),
            "rows": int(rows[one]),
        }
        for one in np.flatnonzero(rows)
    ]


def _quality(results: Results, run: ArmRun) -> tuple[float, float, float]:
    """Macro F1, log-loss, ECE."""
    probabilities = softmax(run.logits)
    counts = confusion(results.gold, run.predicted, classes=len(results.classes))
    return (
        float(f1_scores(counts).mean()),
        log_loss(results.gold, probabilities),
        expected_calibration_error(results.gold, probabilities),
    )


def _agreement(results: Results, recipe: Recipe) -> float | None:
    """Share of rows with the same prediction as the teacher's: of as many labels, or of the main size."""
    if recipe.arm == TEACHER:
        return None
    for labels in (recipe.labels, results.labels):
        _, (ours, theirs) = results.paired([recipe, Recipe(arm=TEACHER, labels=labels)])
        if ours:
            pairs = zip(ours, theirs, strict=True)
            return statistics.fmean(float(np.mean(one.predicted == other.predicted)) for one, other in pairs)
    return None


def _procedure(recipe: Recipe) -> str:
    words = {
        TEACHER: "fine-tuned on gold",
        DISTILLED: "distilled from the teacher",
        SELF_DISTILLED: "distilled from direct",
    }
    return words.get(recipe.arm, "fine-tuned on gold")
