"""How much of its speed does the command `engine train` keep beside processes that keep the cores busy?

    python -m benchmarks.training.busy --start MODEL#layers=1,3,5 --input labelled.parquet --steps 8 --rounds 5

The same rows and steps as in `benchmarks.training.throughput`: ``engine train`` in fp32 and in bf16, a process each
time, whose seconds are those of its steps (``training.json``); and Trainer, grouped by length, in this process.
Everybody alone and beside so many processes that do nothing but compute, in turn (`benchmarks.labelling.busy`).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import lines
from benchmarks.labelling.busy import measure_busy
from benchmarks.labelling.relabelling import NAME
from benchmarks.training.throughput import Setup, labelled_store, read_setup, trainer_seconds
from engine.compute.cpu.limits import usable_cores
from engine.models.files import quiet_transformers

OURS = "engine train"


def train_seconds(place: Path, setup: Setup, out: Path, dtype: str) -> float:
    """Seconds of the steps of one epoch, by the command."""
    command = [sys.executable, "-m", "cli", "train", str(place), "--labels", NAME, "--student", setup.start]
    command += ["--out", str(out), "--epochs", "1", "--batch-size", str(setup.batch_size), "--dtype", dtype]
    command += ["--max-length", str(setup.max_length)]
    subprocess.run(command, check=True, capture_output=True)
    seconds = float(json.loads((out / "training.json").read_text())["seconds"])
    shutil.rmtree(out)
    return seconds


def main() -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", required=True, help="model to begin with; MODEL#layers=… keeps some layers")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id, text and label")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=usable_cores(), help="processes beside")
    arguments = parser.parse_args()
    quiet_transformers()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        setup = read_setup(arguments, work / "rows.parquet")
        place = labelled_store(setup, work / "rows.parquet", work)
        contestants = {
            OURS: partial(train_seconds, place, setup, work / "student", "fp32"),
            f"{OURS}, bf16": partial(train_seconds, place, setup, work / "student", "bf16"),
            "Trainer, grouped by length": partial(trainer_seconds, setup, work / "trainer", "group_by_length"),
        }
        rows = len(setup.gold.texts)
        result = measure_busy(contestants, rows=rows, rounds=arguments.rounds, busy=arguments.busy, ours=OURS)
    path = write_result("training_busy", result)
    print("\n".join(lines(result["figures"], ours=OURS)))
    for word in result["notes"]:
        print(word)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
