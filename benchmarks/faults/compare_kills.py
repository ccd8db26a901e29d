"""Does an experiment that is killed at any moment, and run again, end with the table of one that was never stopped?

    python -m benchmarks.faults.compare_kills --demo DEMO --kills 20      after `engine demo --out DEMO`

A trial is `engine compare` with two seeds of the demo's models on its reviews. It is killed by SIGKILL one to four
times at random moments, each time of the run that goes on, and then run to its end. The logits of all test rows that it
keeps of every model, and the table but for its times, must be those of an undisturbed run to the last bit.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.harness.conditions import write_result

LABELLED, UNLABELLED, TEST = 200, 600, 300
TIMED = ("seconds", "cost", "per_second", "slowest", "fastest", "latency", "price")
"""Parts of the names of figures that are times, or made from them."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The outcome of one trial.

    Attributes:
        killed_in: the step that each kill interrupted, as it was said; ``nothing`` if all was done.
        same_logits: whether every model's logits are those of the undisturbed run.
        same_table: whether every figure of the table is, but for times.
    """

    killed_in: list[str]
    same_logits: bool
    same_table: bool


class Trials:
    """Trials on the files of a demo.

    Args:
        demo: its folder.
        folder: for the experiments.
        seed: of the moments.
    """

    def __init__(self, demo: Path, folder: Path, *, seed: int) -> None:
        self._demo, self._folder, self._chance = demo, folder, random.Random(seed)
        for name, file, rows in (
            ("labelled", "gold", LABELLED),
            ("extra", "gold-extra", LABELLED),
            ("unlabelled", "unlabelled", UNLABELLED),
            ("test", "test", TEST),
        ):
            pq.write_table(pq.read_table(demo / f"{file}.parquet").slice(0, rows), folder / f"{name}.parquet")
        started = time.monotonic()
        self._whole = self._run(folder / "whole")
        self._seconds = time.monotonic() - started
        self._logits = _logits(folder / "whole")

    def _start(self, out: Path, said: Path) -> subprocess.Popen[bytes]:
        files = [
            part for name in ("labelled", "extra", "unlabelled", "test") for part in (f"--{name}", self._file(name))
        ]
        epochs = [part for role in ("teacher", "direct", "distilled") for part in (f"--{role}-epochs", "1")]
        models = ["--teacher", str(self._demo / "pretrained"), "--student", str(self._demo / "start-student")]
        command = ["compare", *files, *models, *epochs, "--out", str(out), "--seeds", "2", "--label-sizes", "50,100"]
        with said.open("ab") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "cli", *command, "--format", "json"],
                stdout=subprocess.PIPE,
                stderr=err,
                start_new_session=True,
            )

    def _file(self, name: str) -> str:
        return str(self._folder / f"{name}.parquet")

    def _run(self, out: Path) -> Any:
        """The table of a run that comes to its end."""
        said = out.with_suffix(".txt")
        process = self._start(out, said)
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"engine compare ended with {process.returncode}:\n{said.read_text()[-2000:]}")
        return _untimed(json.loads(printed))

    def trial(self, number: int) -> Trial:
        """One to four kills, and then to the end."""
        out = self._folder / f"out-{number}"
        killed_in = [self._kill(out) for _ in range(self._chance.randint(1, 4))]
        table = self._run(out)
        trial = Trial(killed_in=killed_in, same_logits=_logits(out) == self._logits, same_table=table == self._whole)
        shutil.rmtree(out)
        return trial

    def _kill(self, out: Path) -> str:
        """Kill a run, with all of its processes, at a random moment; what it was at."""
        said = out.with_suffix(".txt")
        said.unlink(missing_ok=True)
        process = self._start(out, said)
        try:
            process.wait(self._chance.uniform(0.1, 0.9) * self._seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            lines = [line for line in said.read_text().splitlines() if "(step " in line]
            return lines[-1].split(" (step ")[0] if lines else "the beginning"
        process.communicate()
        return "nothing"


def _logits(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((out / "runs").glob("*.npy"))}


def _untimed(value: Any) -> Any:
    """``value`` without figures that depend on how fast the machine was, and without sentences, which may name them."""
    if isinstance(value, dict):
        left = {name: one for name, one in value.items() if not any(part in name for part in TIMED)}
        return {name: _untimed(one) for name, one in left.items() if name not in ("sentences", "caption")}
    return [_untimed(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    """Run trials until there were enough kills, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, required=True, help="folder of `engine demo --out`")
    parser.add_argument("--kills", type=int, default=20, help="that hit a run, at least")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    done: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(arguments.demo.absolute(), Path(folder), seed=arguments.seed)
        while sum(step != "nothing" for trial in done for step in trial.killed_in) < arguments.kills:
            done.append(trials.trial(len(done)))
            sys.stderr.write(f"{len(done)} {done[-1]}\n")
    steps = Counter(step for trial in done for step in trial.killed_in)
    figures = {
        "trials": len(done),
        "kills": sum(count for step, count in steps.items() if step != "nothing"),
        "killed_in": dict(sorted(steps.items())),
        "same_logits": sum(trial.same_logits for trial in done),
        "same_table": sum(trial.same_table for trial in done),
    }
    path = write_result("kills_compare", figures)
    print(json.dumps(figures))
    print(f"written to {path}")


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1"}
    main()
