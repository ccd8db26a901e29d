"""What does a Ray cluster cost beside the worker processes of a machine? The same rows by the same two cores, in turn.

    python -m benchmarks.labelling.on_ray --model MODEL --input FILE

Both sides are whole commands, `engine label` with two workers of one core each, on a store that has its texts: their
time begins with the start of the command and ends with its end. The cluster is there already, and has two nodes of one
core.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.faults.kills import files
from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import run_rounds
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import ColumnNames
from engine.models.teacher import TeacherSource, load_teacher
from engine.testing.ray_cluster import RayCluster
from store.storage import open_storage

LOCAL, RAY = "worker processes", "Ray"
_SIDES = {LOCAL: ["--devices", "cpu,cpu"], RAY: ["--on", "ray", "--workers", "2"]}


def main() -> None:
    """Run the rounds, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--text", help="column of texts")
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RayCluster(2) as cluster:
        place = Path(folder) / "store"
        classes = load_teacher(TeacherSource(source=arguments.model)).classes
        columns = ColumnNames(text=arguments.text, label="")
        config = IngestConfig(files=(arguments.input,), shards=arguments.shards, columns=columns)
        rows = ingest(open_storage(place), config, known=classes).layout.rows
        environment = {**os.environ, **cluster.environment}
        made: list[str] = []

        def run(side: str) -> float:
            made.append(f"{'ray' if side == RAY else 'local'}-{len(made)}")
            command = [sys.executable, "-m", "cli", "label", "--store", str(place), "--teacher", arguments.model]
            command += ["--max-length", str(arguments.max_length), "--dtype", arguments.dtype, "--name", made[-1]]
            started = time.perf_counter()
            done = subprocess.run([*command, *_SIDES[side]], capture_output=True, text=True, env=environment)
            if done.returncode:
                raise SystemExit(f"{side}: {done.stderr}")
            return time.perf_counter() - started

        seconds = run_rounds({side: partial(run, side) for side in _SIDES}, arguments.rounds)
        equal = len({tuple(_logits(place, name)) for name in made}) == 1
    figures = {
        "rows": rows,
        "shards": arguments.shards,
        "dtype": arguments.dtype,
        "seconds": seconds,
        "overhead": round(statistics.median(b / a - 1 for a, b in zip(seconds[LOCAL], seconds[RAY], strict=True)), 4),
        "logits_are_equal": equal,
    }
    path = write_result("ray_overhead", figures)
    print(json.dumps(figures))
    print(f"written to {path}")


def _logits(place: Path, name: str) -> list[bytes]:
    """The bytes of a label set's shards."""
    found = files(place / "labels" / name)
    return [found[file] for file in sorted(found) if file.endswith(".arrow")]


if __name__ == "__main__":
    main()
