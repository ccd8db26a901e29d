"""Made-up results of an experiment whose truth is known, for the statistics, the table and the plots."""

import numpy as np

from benchmarks.comparison.simulation import Truth, draw
from engine.comparison.results import (
    DIRECT,
    DIRECT_EXTRA,
    DISTILLED,
    SELF_DISTILLED,
    TEACHER,
    ArmRun,
    Recipe,
    Results,
    Speed,
)

N, EXTRA, POOL = 2_000, 2_000, 27_000
ACCURACIES = {
    Recipe(arm=TEACHER, labels=N): 0.943,
    Recipe(arm=DISTILLED, labels=N, pool=POOL): 0.941,
    Recipe(arm=SELF_DISTILLED, labels=N, pool=POOL): 0.925,
    Recipe(arm=DIRECT, labels=500): 0.880,
    Recipe(arm=DIRECT, labels=1_000): 0.899,
    Recipe(arm=DIRECT, labels=N): 0.915,
    Recipe(arm=DIRECT_EXTRA, labels=N + EXTRA): 0.930,
}
POOLS = {Recipe(arm=DISTILLED, labels=N, pool=pool): share for pool, share in ((3_000, 0.929), (9_000, 0.937))}
_SECONDS = {TEACHER: 260.0, DISTILLED: 900.0, SELF_DISTILLED: 900.0, DIRECT: 70.0, DIRECT_EXTRA: 140.0}


def made_results(
    *,
    seeds: int = 3,
    rows: int = 4_000,
    seed_sd: float = 0.0035,
    classes: tuple[str, ...] = ("negative", "positive"),
    accuracies: dict[Recipe, float] = ACCURACIES,
    speeds: bool = True,
    seed: int = 0,
) -> Results:
    """Results of arms with these true accuracies."""
    random = np.random.default_rng(seed)
    truth = Truth(accuracies=tuple(accuracies.values()), seeds=seeds, rows=rows, seed_sd=seed_sd)
    right = draw(truth, random).right.astype(bool)
    gold = random.integers(0, len(classes), rows)
    return Results(
        classes=classes,
        gold=gold,
        runs=tuple(
            run_of(recipe, number, logits_of(gold, right[arm, number], len(classes), random))
            for arm, recipe in enumerate(accuracies)
            for number in range(seeds)
        ),
        speeds=_speeds(random) if speeds else {},
        labels=N,
        extra=EXTRA,
        pool=POOL,
        seeds=seeds,
        max_length=256,
        device="cpu, 2 threads",
    )


def run_of(recipe: Recipe, seed: int, logits: np.ndarray) -> ArmRun:
    """A run of ``recipe`` with these logits."""
    teacher = recipe.arm == TEACHER
    return ArmRun(
        arm=recipe.arm,
        labels=recipe.labels,
        pool=recipe.pool,
        seed=seed,
        model="sentence-transformers/all-MiniLM-L6-v2" + ("" if teacher else "#layers=1,3,5"),
        parameters=22_713_986 if teacher else 17_390_210,
        bytes=90_900_000 if teacher else 69_600_000,
        logits=logits,
        steps=max(recipe.labels, recipe.pool) * 3 // 32,
        training_seconds=_SECONDS[recipe.arm] * (max(recipe.labels / N, 0.1)) + seed,
        labelling_seconds=recipe.pool / 130 if recipe.pool else 0.0,
    )


def logits_of(gold: np.ndarray, right: np.ndarray, classes: int, random: np.random.Generator) -> np.ndarray:
    """(rows, classes) float16 whose largest is the gold class where ``right``, and another one elsewhere."""
    rows = np.arange(len(gold))
    logits = random.normal(0, 0.3, (len(gold), classes))
    top = np.where(right, gold, (gold + random.integers(1, classes, len(gold))) % classes)
    sure = np.where(right, random.gamma(4, 1.0, len(gold)), random.gamma(2, 0.8, len(gold)))
    logits[rows, top] = logits.max(axis=1) + 0.05 + sure
    return logits.astype(np.float16)


def _speeds(random: np.random.Generator) -> dict[str, Speed]:
    rates = {TEACHER: 130.0, DISTILLED: 257.0, SELF_DISTILLED: 258.0, DIRECT: 256.0, DIRECT_EXTRA: 255.0}
    return {
        arm: Speed(
            rounds=tuple(rate * random.uniform(0.96, 1.04, 5)), latencies=tuple(900 / rate * random.uniform(1, 1.1, 5))
        )
        for arm, rate in rates.items()
    }
