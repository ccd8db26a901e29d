"""What an experiment measured: of every trained model its logits of the test rows, and what it cost.

All that the table, the statistics and the plots say is computed from here; nothing here is computed.
"""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import InputError

TEACHER, DISTILLED, DIRECT = "teacher", "distilled", "direct"
DIRECT_EXTRA, SELF_DISTILLED = "direct+extra", "self-distilled"
ARMS = (TEACHER, DISTILLED, SELF_DISTILLED, DIRECT, DIRECT_EXTRA)
"""In the order of the table."""

LEAST_ROWS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmRun:
    """One trained model of one arm: what it said on the test rows, and what it cost.

    Attributes:
        arm: ``teacher``, ``distilled``, ``direct``, ``direct+extra`` or ``self-distilled``.
        labels: gold labels that it saw.
        pool: unlabelled rows that it learned from; 0 where it learned from gold alone.
        seed: of everything random; runs of one seed are a pair in every comparison.
        model: name of the start, as the user gave it.
        parameters: number of them.
        bytes: of the saved weights.
        logits: (rows, classes) float16, rows in the order of `Results.gold`.
        steps: of training.
        training_seconds: of one device.
        labelling_seconds: of one device, in which its teacher labelled the pool; 0 where it needed none.
    """

    arm: str
    labels: int
    pool: int
    seed: int
    model: str
    parameters: int
    bytes: int
    logits: npt.NDArray[np.float16]
    steps: int
    training_seconds: float
    labelling_seconds: float = 0.0

    @property
    def recipe(self) -> "Recipe":
        """What it has in common with the runs of other seeds."""
        return Recipe(arm=self.arm, labels=self.labels, pool=self.pool)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(rows,) the most probable classes."""
        classes: npt.NDArray[np.int64] = self.logits.astype(np.float32).argmax(axis=1)
        return classes


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An arm at one size: what a row of the table is about.

    Attributes:
        arm: as in `ArmRun`.
        labels: as there.
        pool: as there.
    """

    arm: str
    labels: int
    pool: int = 0

    def __str__(self) -> str:
        return f"{self.arm}@{self.labels:,}" + (f", pool {self.pool:,}" if self.pool else "")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast the model of an arm predicts, measured in turns with the others.

    Attributes:
        rounds: rows a second, of each round.
        latencies: milliseconds for one text alone, of each round.
    """

    rounds: tuple[float, ...]
    latencies: tuple[float, ...] = ()

    @property
    def rows_per_second(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def latency_ms(self) -> float | None:
        """Median of the rounds; None if it was not measured."""
        return statistics.median(self.latencies) if self.latencies else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """Everything that one experiment measured.

    Attributes:
        classes: names, in the order of the logits.
        gold: (rows,) indices into them.
        runs: trained models; a seed may lack some arms.
        speeds: by arm; empty if none were measured.
        labels: n, the gold labels of ``teacher``, ``distilled``, ``direct`` and ``self-distilled``.
        extra: further labels that ``direct+extra`` has.
        pool: unlabelled rows of ``distilled`` and ``self-distilled``, the largest of several pools.
        seeds: that were asked for.
        redrawn: whether each seed draws its own labelled rows; False if all share them.
        begins_as_teacher: whether what is distilled begins with layers of its own teacher.
        max_length: tokens a row; by the models if None.
        device: what trained, in words.
        shared: whether several processes worked on one machine at once, so that seconds are more than one alone needs.
        removed: rows taken away beforehand as (nearly) the same as a test row, by what they were for (``labelled``, …).

    Raises:
        InputError: test rows, logits or runs do not fit together.
    """

    classes: tuple[str, ...]
    gold: npt.NDArray[np.int64]
    runs: tuple[ArmRun, ...]
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    labels: int
    extra: int
    pool: int
    seeds: int
    redrawn: bool = True
    begins_as_teacher: bool = False
    max_length: int | None = None
    device: str = ""
    shared: bool = False
    removed: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.gold)
        if rows < LEAST_ROWS:
            raise InputError(f"{rows} test rows say nothing; give at least some hundred of them with --test")
        seen = set()
        for run in self.runs:
            name = f"{run.recipe}, seed {run.seed}"
            if run.logits.shape != (rows, len(self.classes)):
                raise InputError(
                    f"{name} has logits of the shape {run.logits.shape}, and there are {rows:,} test rows and "
                    f"{len(self.classes)} classes; these are logits of other test rows: remove them, and run again"
                )
            if not np.isfinite(run.logits).all():
                raise InputError(f"{name} has logits that are no numbers: its training failed; train it again")
            if (run.recipe, run.seed) in seen:
                raise InputError(f"{name} is there twice; name each run once")
            seen.add((run.recipe, run.seed))

    def recipes(self) -> list[Recipe]:
        """Those with a run, in the order of the table: arms as in `ARMS`, then by labels and pool."""
        return sorted({run.recipe for run in self.runs}, key=_place)

    def main(self, arm: str) -> Recipe:
        """``arm`` at the size that the contrasts are about."""
        pool = self.pool if arm in (DISTILLED, SELF_DISTILLED) else 0
        return Recipe(arm=arm, labels=self.labels + (self.extra if arm == DIRECT_EXTRA else 0), pool=pool)

    def of(self, recipe: Recipe) -> dict[int, ArmRun]:
        """Its runs by seed, ascending; empty if it has none."""
        runs = sorted((run for run in self.runs if run.recipe == recipe), key=lambda run: run.seed)
        return {run.seed: run for run in runs}

    def paired(self, recipes: Iterable[Recipe]) -> tuple[tuple[int, ...], list[list[ArmRun]]]:
        """The seeds that all ``recipes`` have, ascending, and of each recipe its runs with these seeds."""
        every = [self.of(recipe) for recipe in recipes]
        seeds = tuple(sorted(set.intersection(*(set(runs) for runs in every)))) if every else ()
        return seeds, [[runs[seed] for seed in seeds] for runs in every]

    def right(self, runs: Iterable[ArmRun]) -> npt.NDArray[np.float64]:
        """(runs, rows) 1 where a run is right, else 0."""
        return np.stack([run.predicted == self.gold for run in runs]).astype(np.float64)

    def direct_sizes(self) -> list[Recipe]:
        """Direct arms of all sizes, ascending by labels: one for each size."""
        by_labels = {one.labels: one for one in self.recipes() if one.arm in (DIRECT_EXTRA, DIRECT)}
        return [by_labels[labels] for labels in sorted(by_labels)]


def _place(recipe: Recipe) -> tuple[Any, ...]:
    known = ARMS.index(recipe.arm) if recipe.arm in ARMS else len(ARMS)
    return (known, recipe.arm, recipe.labels, recipe.pool)
