"""What a cheaper arithmetic costs: predictions and accuracy on real rows, and the students that learn from them.

    python -m benchmarks.yelp.arithmetic --teacher TEACHER --test test.parquet --pool unlabelled.parquet --student S
        --work FOLDER

``--test`` has id, text and label; ``--pool`` has texts. Both are labelled in each arithmetic by the same teacher. A
student of the pool's labels is trained for each arithmetic and seed, and judged on the test rows: students of one seed
differ in nothing else. With ``--seeds 0`` there are none, and only the test is labelled. A step whose result is in
``--work`` is not done again.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

import store
from benchmarks.harness.conditions import write_result
from benchmarks.harness.steps import Steps

DTYPES = ("fp32", "bf16", "int8", "fp8")
STUDENT = ("--epochs", "2", "--batch-size", "32", "--learning-rate", "2e-4", "--dtype", "fp32")


def main() -> None:
    """Label, train, judge, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--pool")
    parser.add_argument("--student")
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--max-length", default="128")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--name", default="label_agreement_minilm", help="of the file of results")
    arguments = parser.parse_args()
    if arguments.seeds and not (arguments.pool and arguments.student):
        parser.error("students need --pool and --student; with --seeds 0 there are none")
    run, length = Steps(arguments.work), ("--max-length", arguments.max_length)
    for inputs in ("test", "pool") if arguments.seeds else ("test",):
        for dtype in DTYPES:
            place, teacher = run.place(f"{inputs}.store"), arguments.teacher
            chosen = ("--store", place, "--teacher", teacher, "--name", dtype, "--dtype", dtype, *length)
            run(f"{inputs}-{dtype}", "label", getattr(arguments, inputs), *chosen)
    figures = _figures(Path(run.place("test.store")))
    result = {
        "rows": pq.read_metadata(arguments.test).num_rows,
        "max_length": int(arguments.max_length),
        "figures": figures,
    }
    if arguments.seeds:
        result["pool_rows"] = pq.read_metadata(arguments.pool).num_rows
        result["students"] = _students(run, arguments, length)
    path = write_result(arguments.name, result)
    print(json.dumps(result, indent=1))
    print(f"written to {path}")


def _figures(place: Path) -> dict[str, Any]:
    """Accuracy and, against fp32, turned predictions and differences of logits, by arithmetic."""
    logits = {dtype: _logits(place, dtype) for dtype in DTYPES}
    gold = store.open(place).sql("SELECT gold FROM reviews ORDER BY row", labels="fp32").column("gold").to_numpy()
    exact, figures = logits["fp32"], {}
    for dtype, ours in logits.items():
        classes, difference = ours.argmax(axis=1), np.abs(ours - exact)
        figures[dtype] = {
            "accuracy": float((classes == gold).mean()),
            "flips": int((classes != exact.argmax(axis=1)).sum()),
            "largest_difference": float(difference.max()),
            "mean_difference": float(difference.mean()),
        }
    return figures


def _logits(place: Path, name: str) -> npt.NDArray[np.float32]:
    """(rows, classes) as they are stored, in the order of the rows."""
    table = store.open(place).dataset(f"labels/{name}").to_table(columns=["row", "logits"]).sort_by("row")
    values: npt.NDArray[np.float16] = table.column("logits").combine_chunks().values.to_numpy(zero_copy_only=False)
    return values.reshape(table.num_rows, -1).astype(np.float32)


def _students(run: Steps, arguments: argparse.Namespace, length: tuple[str, ...]) -> dict[str, Any]:
    """Accuracies on the test rows, one a seed, by arithmetic; and how they differ from those of fp32."""
    accuracies: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    for seed in range(arguments.seeds):
        for dtype in DTYPES:
            name = f"student-{dtype}-{seed}"
            chosen = ("--student", arguments.student, "--labels", dtype, "--seed", str(seed), *STUDENT, *length)
            run(name, "train", run.place("pool.store"), *chosen)
            judged = run(f"eval-{name}", "eval", run.place(name), arguments.test, *length)
            accuracies[dtype].append(judged["accuracy"])
    found: dict[str, Any] = {}
    for dtype, ours in accuracies.items():
        gains = [one - other for one, other in zip(ours, accuracies["fp32"], strict=True)]
        found[dtype] = {
            "accuracies": ours,
            "mean_gain": fmean(gains),
            "deviation_of_gains": stdev(gains) if len(gains) > 1 else 0.0,
        }
    return found


if __name__ == "__main__":
    main()
