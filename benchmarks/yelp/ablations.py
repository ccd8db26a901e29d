"""Which recipe makes the student better? Each lever alone against the same student without it, seed by seed.

    python -m benchmarks.yelp.ablations --experiment WORK/experiment --work FOLDER --seeds 3 [--levers gold-last,mse]
        [--other-start MODEL]

``--experiment`` is the folder of an `engine compare` that is done: its teachers, its label sets and its test rows are
used, and its own students are what the levers are compared with. A lever changes one thing; its run of a seed has the
seed of the student that it is paired with. ``--other-start``, a folder of paraphrase-MiniLM-L3, is for two of them.
What is in ``--work`` is not done again; the table is of all that is there.
"""

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness.conditions import write_result
from benchmarks.yelp.levers import LEVERS, Experiment
from engine.comparison.experiment.data.rows import TEST, read_gold_rows, read_rows
from engine.comparison.statistics.crossed import Estimate, difference, mean_of
from engine.compute.device import best_device, limited_threads, worker_threads
from engine.evaluation.answers import answers_of
from engine.evaluation.evaluate import EvalConfig
from engine.models.classifier import load_classifier
from engine.progress import silent
from store.storage.atomic_file import write_file

Correct = npt.NDArray[np.float64]
"""(rows,) 1 where a model is right."""


def main() -> None:
    """Train what is missing, judge it, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--other-start", help="another pretrained encoder, as large as the student")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--levers", help="those that are trained, by commas; the table has all")
    arguments = parser.parse_args()
    rows = read_rows(arguments.experiment / "data")
    if rows is None:
        parser.error(f"{arguments.experiment} has no experiment")
    settings = json.loads((arguments.experiment / "comparison.json").read_text("utf-8"))
    experiment = Experiment(
        folder=arguments.experiment, work=arguments.work, rows=rows, settings=settings, other=arguments.other_start
    )
    levers = arguments.levers.split(",") if arguments.levers else experiment.possible_levers()
    if problem := experiment.problem(levers, seeds=arguments.seeds):
        parser.error(problem)
    for seed in range(arguments.seeds):
        for name in levers:
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
    with limited_threads(best_device(), worker_threads(("cpu",))):  # as the experiment's own
        answers = answers_of(load_classifier(str(folder)), test.texts, limits, silent)
    file = io.BytesIO()
    np.save(file, answers.logits.astype(np.float16))
    write_file(place, file.getvalue())


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


if __name__ == "__main__":
    main()
