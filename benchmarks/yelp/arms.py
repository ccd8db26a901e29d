"""Does a distilled student beat one that is trained directly? The paper's four arms, by the commands that a user runs.

    python -m benchmarks.yelp.arms --data FOLDER --start MODEL --work FOLDER

``--data`` holds ``labelled``, ``labelled_extra``, ``unlabelled`` and ``test`` as Parquet files with id, text and label
(0 or 1); ``--start`` is a pretrained encoder of six layers, whose layers 1, 3 and 5 the students begin with. A step
whose result is in ``--work`` is not done again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.harness.conditions import write_result
from benchmarks.harness.steps import Steps

LENGTH = ["--max-length", "128"]
TEACHER = ["--epochs", "5", "--batch-size", "32", "--learning-rate", "5e-5", *LENGTH]
DIRECT = ["--epochs", "5", "--batch-size", "32", "--learning-rate", "1e-4", *LENGTH]
STUDENT = ["--epochs", "2", "--batch-size", "64", "--learning-rate", "2e-4", *LENGTH]
CLASSES = ["--classes", "negative,positive"]
QUERY = "SELECT class, count(*) AS rows, avg(confidence) AS confidence FROM labels GROUP BY 1 ORDER BY 1"


def main() -> None:
    """Go the path, judge every model on the test rows, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--start", required=True)
    parser.add_argument("--work", required=True, type=Path)
    arguments = parser.parse_args()
    run = Steps(arguments.work)
    gold, extra, unlabelled, test = (
        str(arguments.data / f"{name}.parquet") for name in ("labelled", "labelled_extra", "unlabelled", "test")
    )
    student = f"{arguments.start}#layers=1,3,5"
    place = str(arguments.work / "yelp.store")
    run("teacher", "finetune", gold, "--model", arguments.start, *CLASSES, *TEACHER)
    label = run(
        "label", "label", unlabelled, "--store", place, "--teacher", run.place("teacher"), "--shards", "16", *LENGTH
    )
    run("distilled", "train", place, "--student", student, *STUDENT)
    run("direct", "finetune", gold, "--model", student, *CLASSES, *DIRECT)
    run("direct-double", "finetune", gold, extra, "--model", student, *CLASSES, *DIRECT)
    answer = run("sql", "sql", place, QUERY, "--format", "json")
    arms = ["teacher", "distilled", "direct", "direct-double"]
    judged = {arm: run(f"eval-{arm}", "eval", run.place(arm), test, *LENGTH) for arm in arms}
    against = run("against", "eval", run.place("distilled"), test, "--against", run.place("direct-double"), *LENGTH)
    rows = [_arm(arm, run.results[arm], judged[arm]) for arm in arms]
    paired = next(iter(against["against"].values()))
    labelled = {name: label[name] for name in ("rows", "rows_per_second", "tokens_per_second", "padding")}
    result = {"test_rows": pq.read_metadata(test).num_rows, "arms": rows, "label": labelled, "sql": answer}
    path = write_result("yelp", {**result, "distilled_against_direct_double": paired})
    print(json.dumps(rows, indent=1))
    print(f"written to {path}")


def _arm(name: str, trained: dict[str, Any], judged: dict[str, Any]) -> dict[str, Any]:
    return {
        "arm": name,
        "sample_size": trained["rows"],
        "training_seconds": trained["seconds"],
        **{key: judged[key] for key in ("accuracy", "macro_f1", "log_loss", "ece", "rows_per_second")},
        **{key: judged[key] for key in ("parameters", "megabytes")},
    }


if __name__ == "__main__":
    main()
