"""How much memory do labelling and fine-tuning take on a CPU? Each in a process of its own that is watched.

    OMP_NUM_THREADS=1 python -m benchmarks.memory.run --model TEACHER --start MODEL --input labelled.parquet --rows 300

`import` is what Python, torch and transformers take before there is a model, and `load` the model on top of it; the
rest is what labelling and training in each dtype add. As peers, both run again with the caches of prepared products as
large as torch and oneDNN make them by themselves, round after round.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.harness.measured import measure

CHILD = "benchmarks.memory.child"
LARGE = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024", "LRU_CACHE_CAPACITY": "1024"}
WORK = [("label", dtype) for dtype in ("fp32", "bf16", "int8")] + [("finetune", dtype) for dtype in ("fp32", "bf16")]


def main() -> None:
    """Measure everything in turn, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="classifier that labels")
    parser.add_argument("--start", required=True, help="model that is fine-tuned")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id, text and label")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    seen: dict[str, list[tuple[int, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        pq.write_table(pq.read_table(arguments.input, columns=["id", "text", "label"]).slice(0, arguments.rows), file)
        for _ in range(arguments.rounds):
            for name, request, variables in _requests(arguments, file):
                measured = _measured(request, variables)
                seen.setdefault(name, []).append((measured.peak_megabytes, measured.cpu_seconds))
                print(f"{name:32} {measured.peak_megabytes:6} MB  {measured.cpu_seconds:7.1f} s of CPU", flush=True)
    figures = {
        name: {
            "peak_megabytes": max(peak for peak, _ in rounds),
            "cpu_seconds": statistics.median(s for _, s in rounds),
        }
        for name, rounds in seen.items()
    }
    from benchmarks.harness.conditions import write_result  # torch, whose threads would be beside the children's

    result = {"rows": arguments.rows, "max_length": arguments.max_length, "rounds": arguments.rounds}
    print(f"written to {write_result('model_memory', {**result, 'figures': figures})}")


def _requests(arguments: argparse.Namespace, file: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Names, requests, and environment variables."""
    yield "import", {"what": "import"}, {}
    yield "load", {"what": "load", "model": arguments.model}, {}
    for what, dtype in WORK:
        model = arguments.model if what == "label" else arguments.start
        request = {"what": what, "model": model, "file": str(file), "max_length": arguments.max_length, "dtype": dtype}
        yield f"{what}, {dtype}", request, {}
        yield f"{what}, {dtype}, large caches", request, LARGE


def _measured(request: dict[str, Any], variables: dict[str, str]) -> Any:
    with tempfile.TemporaryDirectory() as work, _environment(variables):
        return measure(CHILD, {**request, "work": work})


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    main()
