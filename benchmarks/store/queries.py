"""How long does each named question take?

    python -m benchmarks.store.queries --work FOLDER [--rows 639000 10000000]

Stores of two label sets, with gold for a tenth of the rows (`benchmarks.harness.made_stores`). Each question is asked
in a process of its own, once with its manifests unread and then a few times again (the median counts). ``--work`` needs
1 GB for ten million rows; it is deleted afterwards.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from benchmarks.harness.made_stores import build_store
from benchmarks.store.scale import ask
from store import Store
from store.gold.calibration import Calibration, add_calibration, sources_now
from store.sql.questions import questions

SIZES = (639_000, 10_000_000)
ROWS_A_SHARD = 100_000


def time_questions(work: Path, *, rows: int, names: list[str]) -> dict[str, Any]:
    """Time and memory of each question over ``rows`` rows, without its answer."""
    place = work / f"{rows}.store"
    made = build_store(place, rows=rows, shards=-(-rows // ROWS_A_SHARD))
    add_calibration(made, _calibration(made))
    figures = {}
    for name in names:
        figures[name] = ask(place, questions()[name].sql)
        del figures[name]["answer"]["rows"]
        print(f"{rows:>10,} rows  {_line(name, figures[name])}", flush=True)
    shutil.rmtree(place)
    return figures


def _calibration(made: Store) -> Calibration:
    """Some temperature: gold is made up, so that none would fit."""
    name = made.label_sets()[0]
    return Calibration(
        label_set=name,
        number=1,
        temperature=1.5,
        standard_error=0.1,
        rows=made.layout.rows,
        rounds=[0],
        left_out=0,
        sources=sources_now(made, name),
        before={},
        after={},
    )


def _line(name: str, figures: dict[str, Any]) -> str:
    answer = figures["answer"]
    return (
        f"{name:16} first {answer['first']:6.2f} s  again {answer['again']:6.2f} s  "
        f"{figures['peak_private_megabytes']:5} MB private, {figures['cpu_seconds']:5.1f} s of processors"
    )


def main() -> None:
    """Make the stores, ask, print, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True, type=Path, help="an empty folder that is deleted afterwards")
    parser.add_argument("--rows", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--question", nargs="+", choices=list(questions()), default=list(questions()))
    parser.add_argument("--no-result", action="store_true", help="print only")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    try:
        sizes = {
            str(rows): time_questions(arguments.work, rows=rows, names=arguments.question) for rows in arguments.rows
        }
    finally:
        shutil.rmtree(arguments.work)
    if not arguments.no_result:
        from benchmarks.harness.conditions import write_result  # torch, whose threads would be beside the children's

        print(f"written to {write_result('queries', {'sizes': sizes})}")


if __name__ == "__main__":
    main()
