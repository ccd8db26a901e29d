"""How long does a report of many rows take, and how large is it?

    python -m benchmarks.store.report --work FOLDER [--rows 639000]

A store of texts with the lengths of reviews (`benchmarks.harness.made_texts`), two label sets and gold for a tenth of
the rows (`benchmarks.harness.made_stores`). ``engine report`` runs a few times as a whole process, imports included.
``--work`` needs 1.5 GB for 639,000 rows; it is deleted afterwards.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROWS = 639_000
ROUNDS = 3
_ROWS_A_SHARD = 32_768
_WORDS = 20_000
_PROGRAM = Path(__file__).parent.parent.parent


def build(place: Path, rows: int) -> None:
    """Make the store. In a process of its own: what a parent had in memory counts as its children's peak."""
    from functools import partial

    from benchmarks.harness.made_stores import build_store
    from benchmarks.harness.made_texts import made_texts, made_words

    texts = partial(made_texts, words=made_words(_WORDS))
    build_store(place, rows=rows, shards=-(-rows // _ROWS_A_SHARD), texts=texts)


def time_report(place: Path, labels: str) -> dict[str, Any]:
    """Seconds, bytes of the page, and the most memory of the command or of the process that asks its questions."""
    out = place.with_suffix(".html")
    command = ["report", str(place), "--labels", labels, "--out", str(out), "--timeout", "3600"]
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "cli", *command], stdout=subprocess.DEVNULL, cwd=_PROGRAM) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if child.returncode != 0:
        raise RuntimeError(f"engine {' '.join(command)} ended with {child.returncode}")
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "bytes": out.stat().st_size,
        "peak_megabytes": usage.ru_maxrss // 1024,
    }


def measure_reports(work: Path, *, rows: int) -> dict[str, Any]:
    """Time and memory of each report, and their medians."""
    place = work.absolute() / "many.store"
    builder = multiprocessing.get_context("spawn").Process(target=build, args=(place, rows))
    builder.start()
    builder.join()
    if builder.exitcode != 0:
        raise RuntimeError(f"the store of {rows:,} rows could not be made; its process ended with {builder.exitcode}")
    rounds = [time_report(place, "bert") for _ in range(ROUNDS)]
    return {
        "rows": rows,
        "seconds": statistics.median(one["seconds"] for one in rounds),
        "bytes": max(one["bytes"] for one in rounds),
        "peak_megabytes": max(one["peak_megabytes"] for one in rounds),
        "rounds": rounds,
        "mean_characters": _mean_characters(place),
    }


def _mean_characters(place: Path) -> float:
    import store

    asked = store.open(str(place)).sql("SELECT avg(length(text)) AS mean FROM corpus")
    return round(float(asked.column("mean")[0].as_py()), 1)


def main() -> None:
    """Make the store, report, print, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True, type=Path, help="an empty folder that is deleted afterwards")
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    try:
        result = measure_reports(arguments.work, rows=arguments.rows)
    finally:
        shutil.rmtree(arguments.work)
    print(result)
    from benchmarks.harness.conditions import write_result  # torch, whose memory would count as the children's

    print(f"written to {write_result('report', result)}")


if __name__ == "__main__":
    main()
