"""A container with a quota of one core of many: is labelling as fast there as with one core alone?

    python -m benchmarks.labelling.quota --model TEACHER --input reviews.parquet --rows 400

The command `engine label` runs in a cgroup with a quota of one core (which needs root, and cgroups of version 1 or 2
that can be written to), and bound to one core without a quota, in turn. Threads for cores that the quota does not give
would wait for one another.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import compare, lines, run_rounds

_PERIOD = 100_000  # microseconds
_GROUPS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
OURS, BOUND = "quota of one core", "one core alone"


@contextmanager
def quota_of_one_core() -> Iterator[Path]:
    """A cgroup whose processes may use one core at a time; gives its file for process ids.

    Raises:
        OSError: no cgroup can be made here.
    """
    parent = next((group for group in _GROUPS if (group / "cgroup.procs").exists()), _GROUPS[0])
    group = parent / f"engine-quota-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{_PERIOD} {_PERIOD}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(_PERIOD))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def main() -> None:
    """Label in both ways, in turn; write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="folder of a fine-tuned classifier")
    parser.add_argument("--input", required=True, help="Parquet file with id and text")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    summaries: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder, quota_of_one_core() as group:
        inputs = Path(folder) / "rows.parquet"
        pq.write_table(pq.read_table(arguments.input, columns=["id", "text"]).slice(0, arguments.rows), inputs)

        def labelling(name: str, begin: Callable[[], None]) -> Callable[[], float]:
            def label() -> float:
                with tempfile.TemporaryDirectory() as place:
                    line = [sys.executable, "-m", "cli", "label", str(inputs), "--teacher", arguments.model]
                    line += ["--store", f"{place}/store", "--dtype", "fp32"]
                    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=begin)
                    summaries[name] = json.loads(done.stdout)
                    return float(summaries[name]["seconds"])

            return label

        contestants = {
            OURS: labelling(OURS, lambda: _join(group)),
            BOUND: labelling(BOUND, lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})),
        }
        seconds = run_rounds(contestants, arguments.rounds)
    figures = compare(seconds, rows=arguments.rows, ours=OURS)
    result = {"rows": arguments.rows, "cores": os.cpu_count(), "seconds": seconds, "figures": figures}
    path = write_result("label_quota", result)
    print("\n".join(lines(figures, ours=OURS)))
    print(f"written to {path}")


def _join(group: Path) -> None:
    group.write_text(str(os.getpid()))


if __name__ == "__main__":
    main()
