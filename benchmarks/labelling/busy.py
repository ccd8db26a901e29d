"""How much of its speed does labelling keep beside processes that keep the cores busy? Everybody alone and beside them.

A fair share is that of the cores that the scheduler gives to as many processes as there are cores: half of them where
two processes beside ours keep two cores busy.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.harness.rounds import compare, run_rounds
from engine.compute.cpu.limits import usable_cores

_SPIN = "while True: pass"
ALONE, BESIDE = "alone", "beside busy processes"


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    running = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure_busy(
    contestants: Mapping[str, Callable[[], float]], *, rows: int, rounds: int, busy: int, ours: str
) -> dict[str, Any]:
    """Each contestant alone and beside ``busy`` processes, all in turn in each round.

    Args:
        contestants: seconds of each one's work.
        rows: of the work.
        rounds: how many.
        busy: processes beside.
        ours: name of the contestant that the others are compared with.
    """

    def beside(work: Callable[[], float], count: int) -> float:
        with busy_processes(count):
            return work()

    both = {
        f"{name}, {state}": partial(beside, work, count)
        for name, work in contestants.items()
        for state, count in ((ALONE, 0), (BESIDE, busy))
    }
    taken = run_rounds(both, rounds)
    seconds = {state: {name: taken[f"{name}, {state}"] for name in contestants} for state in (ALONE, BESIDE)}
    fair = usable_cores() / (usable_cores() + busy)
    shares = {name: of_fair_share(seconds[ALONE][name], seconds[BESIDE][name], fair=fair) for name in contestants}
    return {
        "rows": rows,
        "busy": busy,
        "cores": usable_cores(),
        "seconds": seconds,
        "alone": compare(seconds[ALONE], rows=rows, ours=ours),
        "figures": compare(seconds[BESIDE], rows=rows, ours=ours),
        "of_fair_share": shares,
        "notes": [f"{name}: {share:.2f} of its fair share" for name, share in shares.items()],
    }


def of_fair_share(alone: list[float], beside: list[float], *, fair: float) -> float:
    """Speed beside busy processes as a part of the fair share of the speed alone: 1 is all of it."""
    return round(statistics.median(a / b for a, b in zip(alone, beside, strict=True)) / fair, 2)
