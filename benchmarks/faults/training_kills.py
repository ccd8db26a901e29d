"""Does a training that is killed at any moment, and run again, end with the weights of one that was never stopped?

    python -m benchmarks.faults.training_kills --kills 50              one process
    python -m benchmarks.faults.training_kills --kills 10 --ranks 2    two processes, by torchrun

A trial is `engine train` on a small store with a checkpoint after every step, so that about every second SIGKILL comes
while one is written. It is killed one to three times at random moments, each time of the run that goes on, and then run
to its end: the weights, the metrics and the losses must be those of an undisturbed run. Of several processes either all
are killed or one, whose loss must then end the others.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from benchmarks.harness.conditions import write_result
from engine.demo.path import run_demo
from engine.training.output.checkpoint import MODEL
from engine.training.output.metrics_log import METRICS

ROWS = 1_500
LIMIT = 120.0
_LOST_AFTER = 20


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The outcome of one trial.

    Attributes:
        killed_in: what each kill interrupted: ``start``, ``step``, ``checkpoint``, or ``nothing`` where all was done.
        difference: largest one of a weight from that of the undisturbed run.
        equal: whether weights and metrics are the same to the last bit.
        lost_seconds: how long the others went on after one of them was killed.
    """

    killed_in: list[str]
    difference: float
    equal: bool
    lost_seconds: list[float]


class Trials:
    """Trials on one small store.

    Args:
        folder: for the store and the runs.
        ranks: processes that train together.
        seed: of the moments.
    """

    def __init__(self, folder: Path, *, ranks: int, seed: int) -> None:
        self._folder, self._ranks, self._chance = folder, ranks, random.Random(seed)
        run_demo(folder, rows=ROWS, say=lambda _: None)
        self._whole = folder / "whole"
        started = time.monotonic()
        self._run(self._whole)
        self._steps = len(_metrics(self._whole))
        self._step_seconds = (time.monotonic() - started) / self._steps

    def _command(self, out: Path) -> list[str]:
        start = [sys.executable]
        if self._ranks > 1:
            start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(self._ranks)]
        return [
            *[*start, "-m", "cli", "--quiet", "train", str(self._folder / "reviews.store")],
            *["--student", str(self._folder / "start-student"), "--out", str(out), "--epochs", "6"],
            *["--checkpoint-every", "1", "--lost-after", str(_LOST_AFTER)],
        ]

    def _start(self, out: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self._command(out), stdout=quiet, stderr=quiet, start_new_session=True, env=environment)

    def _run(self, out: Path) -> None:
        if (code := self._start(out).wait()) != 0:
            raise SystemExit(f"{' '.join(self._command(out))} ended with {code}")

    def trial(self, number: int) -> Trial:
        """One to three kills, and then to the end."""
        out = self._folder / f"run-{number}"
        killed_in, lost = [], []
        for _ in range(self._chance.randint(1, 3)):
            phase, seconds = self._kill(out)
            killed_in.append(phase)
            lost += [seconds] if seconds is not None else []
        self._run(out)
        ours, theirs = load_file(out / MODEL), load_file(self._whole / MODEL)
        difference = max(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs)
        same_weights = (out / MODEL).read_bytes() == (self._whole / MODEL).read_bytes()
        equal = same_weights and _losses(out) == _losses(self._whole)
        return Trial(killed_in=killed_in, difference=difference, equal=equal, lost_seconds=lost)

    def _kill(self, out: Path) -> tuple[str, float | None]:
        """Kill a run at a random moment of its training; what it was at, and how long a lost rank was waited for."""
        process = self._start(out)
        _wait_until(lambda: (out / "run.json").exists() or process.poll() is not None)
        begun = len(_metrics(out))
        step = self._chance.randint(begun, self._steps)
        _wait_until(lambda: len(_metrics(out)) >= step or process.poll() is not None)
        time.sleep(self._chance.uniform(0, 2 * self._step_seconds))
        if process.poll() is not None:
            return "nothing", None
        phase = _phase(out)
        children = _children(process.pid) if self._ranks > 1 else []
        if not children or self._chance.random() < 0.5:
            for pid in [process.pid, *children]:  # torchrun's processes are in groups of their own
                os.kill(pid, signal.SIGKILL)
            process.wait()
            return phase, None
        os.kill(self._chance.choice(children), signal.SIGKILL)
        killed = time.monotonic()
        process.wait(LIMIT)
        return phase, round(time.monotonic() - killed, 1)


def _wait_until(condition: Any) -> None:
    ends = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > ends:
            raise SystemExit("a run did not begin in time")
        time.sleep(0.002)


def _phase(out: Path) -> str:
    if any((out / "checkpoints").glob(".unfinished-*")):
        return "checkpoint"
    return "step" if _metrics(out) else "start"


def _children(pid: int) -> list[int]:
    """The processes that ``pid`` has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def _metrics(out: Path) -> list[str]:
    path = out / METRICS
    return path.read_text().splitlines() if path.exists() else []


def _losses(out: Path) -> list[tuple[int, float, float]]:
    lines = [json.loads(line) for line in _metrics(out)]
    return [(line["step"], line["loss"], line["learning_rate"]) for line in lines]


def main() -> None:
    """Run trials until there were enough kills, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="that hit a run, at least")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    done: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), ranks=arguments.ranks, seed=arguments.seed)
        while sum(phase != "nothing" for trial in done for phase in trial.killed_in) < arguments.kills:
            done.append(trials.trial(len(done)))
            sys.stderr.write(f"{done[-1]}\n")
    phases = Counter(phase for trial in done for phase in trial.killed_in)
    figures = {
        "ranks": arguments.ranks,
        "trials": len(done),
        "kills": sum(count for phase, count in phases.items() if phase != "nothing"),
        "killed_in": phases,
        "equal": sum(trial.equal for trial in done),
        "largest_difference": max(trial.difference for trial in done),
        "longest_wait_for_a_lost_rank": max((wait for trial in done for wait in trial.lost_seconds), default=None),
    }
    path = write_result("training_kills" if arguments.ranks == 1 else f"training_kills_{arguments.ranks}", figures)
    print(json.dumps(figures))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
