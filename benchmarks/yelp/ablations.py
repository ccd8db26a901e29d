"""Which recipe makes the student better? Each lever alone against the same student without it, seed by seed.

    python -m benchmarks.yelp.ablations --experiment WORK/experiment --work FOLDER --seeds 3 [--levers gold-last,mse]

``--experiment`` is the folder of an `engine compare` that is done: its teachers, its label sets and its test rows are
used, and its own students are what the levers are compared with. A lever changes one thing; its run of a seed has the
seed of the student that it is paired with. What is in ``--work`` is not done again; the table is of all that is there.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness.conditions import write_result
from engine.comparison.experiment.choices import DIRECT, DISTILLED
from engine.comparison.experiment.data.rows import TEST, Rows, read_gold_rows, read_rows
from engine.comparison.statistics.crossed import Estimate, difference, mean_of
from engine.evaluation.answers import answers_of
from engine.evaluation.evaluate import EvalConfig
from engine.inputs.labels.labelled import GoldConfig
from engine.models.classifier import load_classifier
from engine.progress import silent
from engine.training.distill import DistillConfig, train
from engine.training.finetune import FinetuneConfig, finetune
from engine.training.tasks.soft_loss import SoftLoss

Correct = npt.NDArray[np.float64]
"""(rows,) 1 where a model is right."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What the levers start from.

    Attributes:
        folder: of the experiment.
        work: where the levers' models and logits go.
        rows: of the experiment.
        settings: with which it was begun.
    """

    folder: Path
    work: Path
    rows: Rows
    settings: dict[str, Any]

    @property
    def length(self) -> int:
        """Tokens a row."""
        return int(self.settings["max_length"])

    @property
    def student(self) -> str:
        """Its initial weights."""
        return str(json.loads((self.folder / "runs" / "distilled-0.json").read_text("utf-8"))["model"])

    def distil(self, seed: int, **changes: Any) -> DistillConfig:
        """The training of the experiment's distilled student, with changes."""
        loop = replace(DISTILLED, seed=seed, dtype=self.settings["dtype"])
        given = {
            "store": str(self.folder / "pool.store"),
            "student": self.student,
            "labels": f"seed-{seed}",
            "max_length": self.length,
            "loop": loop,
        }
        return DistillConfig(**{**given, **changes})

    def direct(self, seed: int, **changes: Any) -> FinetuneConfig:
        """The training of the experiment's student on gold alone, with changes."""
        file = self.folder / f"seed-{seed}" / f"labelled-{self.rows.labels}.parquet"
        given = {
            "gold": GoldConfig(files=(str(file),), classes=tuple(self.rows.classes)),
            "model": self.student,
            "max_length": self.length,
            "loop": replace(DIRECT, seed=seed, dtype=self.settings["dtype"]),
        }
        return FinetuneConfig(**{**given, **changes})


Make = Callable[[Experiment, int, Path], int]
"""Trains the model of a seed in a folder, and says how many tokens a row it takes."""


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One change.

    Attributes:
        what: it is, in words.
        base: the arm of the experiment that it changes.
        make: trains.
    """

    what: str
    base: str
    make: Make


def main() -> None:
    """Train what is missing, judge it, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--levers", default=",".join(LEVERS), help="those that are trained; the table has all")
    arguments = parser.parse_args()
    rows = read_rows(arguments.experiment / "data")
    if rows is None:
        parser.error(f"{arguments.experiment} has no experiment")
    settings = json.loads((arguments.experiment / "comparison.json").read_text("utf-8"))
    experiment = Experiment(folder=arguments.experiment, work=arguments.work, rows=rows, settings=settings)
    for seed in range(arguments.seeds):
        for name in arguments.levers.split(","):
            judged(experiment, name, seed)
    lines = table(experiment, arguments.seeds)
    print(json.dumps(lines, indent=1))
    print(f"written to {write_result('yelp_ablations', {'test_rows': rows.test, 'levers': lines})}")


def judged(experiment: Experiment, name: str, seed: int) -> None:
    """Train a lever's model and keep its logits of the test rows, if they are not there."""
    place = experiment.work / f"{name}-{seed}.npy"
    if place.exists():
        return
    sys.stderr.write(f"{name}, seed {seed}\n")
    folder = experiment.work / f"{name}-{seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    length = LEVERS[name].make(experiment, seed, folder)
    test = read_gold_rows(experiment.folder / "data" / TEST, experiment.rows.classes)
    limits = EvalConfig(model=str(folder), inputs=(), max_length=length)
    answers = answers_of(load_classifier(str(folder)), test.texts, limits, silent)
    np.save(place, answers.logits.astype(np.float16))


def table(experiment: Experiment, seeds: int) -> list[dict[str, Any]]:
    """A line for each lever that has any seed; all of them are paired with their base, seed by seed."""
    labels = np.asarray(read_gold_rows(experiment.folder / "data" / TEST, experiment.rows.classes).labels)

    def right(place: Path) -> Correct:
        predicted: npt.NDArray[np.int64] = np.load(place).argmax(axis=1)
        correct: Correct = (predicted == labels).astype(np.float64)
        return correct

    lines = []
    for name, lever in LEVERS.items():
        found = [seed for seed in range(seeds) if (experiment.work / f"{name}-{seed}.npy").exists()]
        if not found:
            continue
        changed = np.stack([right(experiment.work / f"{name}-{seed}.npy") for seed in found])
        base = np.stack([right(experiment.folder / "runs" / f"{lever.base}-{seed}.npy") for seed in found])
        lines.append(
            {
                "lever": name,
                "what": lever.what,
                "base": lever.base,
                "seeds": len(found),
                "accuracy": round(mean_of(changed).mean, 5),
                "base_accuracy": round(mean_of(base).mean, 5),
                **_points(difference(changed, base)),
            }
        )
    return lines


def _points(estimate: Estimate) -> dict[str, float]:
    ends = {"difference": estimate.mean, "low": estimate.low, "high": estimate.high}
    return {
        **{name: round(100 * value, 3) for name, value in ends.items()},
        "p_value": float(f"{estimate.p_value:.3g}"),
    }


def _distilled(what: str, change: Callable[[Experiment, DistillConfig], DistillConfig]) -> Lever:
    def make(experiment: Experiment, seed: int, out: Path) -> int:
        train(change(experiment, experiment.distil(seed, out=str(out))))
        return experiment.length

    return Lever(what=what, base="distilled", make=make)


def _gold_last(experiment: Experiment, seed: int, out: Path) -> int:
    distilled = experiment.folder / f"seed-{seed}" / f"distilled-{seed}"
    direct = experiment.direct(seed, out=str(out), model=str(distilled))
    finetune(replace(direct, loop=replace(direct.loop, epochs=2, learning_rate=2e-5)))
    return experiment.length


def _length(tokens: int) -> Lever:
    def make(experiment: Experiment, seed: int, out: Path) -> int:
        finetune(experiment.direct(seed, out=str(out), max_length=tokens))
        return tokens

    return Lever(what=f"at most {tokens} tokens a row, trained and judged", base="direct", make=make)


def _mean_of_teachers(experiment: Experiment, config: DistillConfig) -> DistillConfig:
    sets = (experiment.folder / "pool.store" / "labels").iterdir()
    teachers = sorted(place.name for place in sets if not place.name.endswith("-self"))
    return replace(config, labels=tuple(teachers))


def _epochs(number: int) -> Callable[[Experiment, DistillConfig], DistillConfig]:
    return lambda _, config: replace(config, loop=replace(config.loop, epochs=number))


def _rate(learning_rate: float) -> Callable[[Experiment, DistillConfig], DistillConfig]:
    return lambda _, config: replace(config, loop=replace(config.loop, learning_rate=learning_rate))


LEVERS = {
    "length-128": _length(128),
    "length-512": _length(512),
    "gold-last": Lever(what="two more epochs on the gold labels alone, at 2e-5", base="distilled", make=_gold_last),
    "mean-of-teachers": _distilled("learns from the mean of the teachers of all seeds", _mean_of_teachers),
    "epochs-4": _distilled("4 epochs in place of 2", _epochs(4)),
    "epochs-8": _distilled("8 epochs in place of 2", _epochs(8)),
    "rate-4e-4": _distilled("a learning rate of 4e-4 in place of 2e-4", _rate(4e-4)),
    "mse": _distilled(
        "squared differences of centred logits in place of KL",
        lambda _, config: replace(config, loss=SoftLoss(kind="mse")),
    ),
    "confident": _distilled(
        "rows weigh as much as their teacher is sure of them", lambda _, config: replace(config, weight="confidence")
    ),
}


if __name__ == "__main__":
    main()
