"""Do label, append and train end the same, whenever they are killed? With a real model, by the command line's own code.

    python -m benchmarks.faults.append_kills --demo DEMO --kills 200     after `engine demo --out DEMO`

A run makes a store of a third of the demo's texts, appends another third, trains a student, appends the rest and
trains a second student. It is killed by SIGKILL one to three times in a chain, at random moments of its life, and then
run to its end. Every file of the store, and the weights of both students, must equal those of one undisturbed run. The
first student is asked for once more after the last append: it goes on, or is done, with the rows that it began with.
Each run is a fork of this process, which has loaded everything, so that kills do not fall into imports.
"""

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.faults.kills import files
from benchmarks.harness.conditions import write_result

PARTS = ("first", "second", "third")
ROWS = 240  # of each part
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The outcome of one trial.

    Attributes:
        killed_in: what each kill interrupted: ``label``, ``append``, ``train`` or ``nothing`` where all was done.
        different: names of files that differ from those of an undisturbed run.
    """

    killed_in: list[str]
    different: list[str]


def steps(demo: Path, place: Path) -> list[list[str]]:
    """The commands of one run, each of which may be repeated."""
    label = ["label", "--store", str(place / "store"), "--teacher", str(demo / "teacher"), "--devices", "cpu"]
    train = ["train", str(place / "store"), "--student", str(demo / "start-student"), "--epochs", "2"]
    train += ["--batch-size", "48", "--checkpoint-every", "3"]
    first, second, third = (str(place.parent / f"{part}.parquet") for part in PARTS)
    return [
        [*label, first, "--shards", "3"],
        [*label, second, "--append", "--shards", "2"],
        [*train, "--out", str(place / "one")],
        [*label, third, "--append"],
        [*train, "--out", str(place / "one")],  # goes on, or is done: without the rows that came since
        [*train, "--out", str(place / "all")],
    ]


def run(demo: Path, place: Path) -> int:
    """All steps, in this process; 3 (rejected rows) is no failure."""
    from cli.main import run as engine

    for step in steps(demo, place):
        if (code := engine(["--quiet", *step])) not in (0, 3):
            return code
    return 0


def write_parts(demo: Path, folder: Path) -> None:
    """Three files of the demo's texts; the second and third have some rows of the first once more."""
    table = pq.read_table(demo / "unlabelled.parquet")
    for number, part in enumerate(PARTS):
        start = max(0, number * ROWS - 5)
        pq.write_table(table.slice(start, (number + 1) * ROWS - start), folder / f"{part}.parquet")


def ends(place: Path) -> dict[str, bytes]:
    """What must be the same: every file of the store, and the weights of the students."""
    store = {f"store/{name}": data for name, data in files(place / "store").items()}
    students = (place / name / _WEIGHTS for name in ("one", "all"))
    return store | {str(path.relative_to(place)): path.read_bytes() for path in students if path.exists()}


class Trials:
    """Trials in one folder.

    Args:
        demo: the demo's folder.
        folder: for the stores.
        seed: of the moments.
    """

    def __init__(self, demo: Path, folder: Path, *, seed: int) -> None:
        commands = ("cli.commands.label.command", "cli.commands.train")
        for module in (*commands, "engine.labelling.label", "engine.training.distill"):
            importlib.import_module(module)
        self._demo, self._folder, self._chance = demo, folder, random.Random(seed)
        write_parts(demo, folder)
        started = time.monotonic()
        self.whole = self._to_the_end(folder / "whole")
        self._seconds = time.monotonic() - started

    def _start(self, place: Path) -> int:
        """Begin a run in a process of its own; its id."""
        if (child := os.fork()) == 0:
            code = 1
            try:
                for stream in (1, 2):
                    os.dup2(os.open(place.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
                code = run(self._demo, place)
            finally:
                os._exit(code)
        return child

    def _to_the_end(self, place: Path) -> dict[str, bytes]:
        if _code(self._start(place)):
            raise SystemExit(f"a run in {place} failed: {place.with_suffix('.log').read_text()[-2000:]}")
        return ends(place)

    def _killed(self, place: Path) -> bool:
        """Begin a run and kill it at a random moment; False if it was done."""
        child = self._start(place)
        ends_at = time.monotonic() + self._chance.uniform(0, self._seconds)
        while time.monotonic() < ends_at:
            if os.waitpid(child, os.WNOHANG)[0]:
                return False
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        return _code(child) == -signal.SIGKILL

    def trial(self, number: int) -> Trial:
        """One to three kills, and then to the end."""
        place = self._folder / f"run-{number}"
        kills = range(self._chance.randint(1, 3))
        killed_in = [_phase(place) if self._killed(place) else "nothing" for _ in kills]
        found = self._to_the_end(place)
        names = self.whole.keys() | found.keys()
        different = sorted(name for name in names if self.whole.get(name) != found.get(name))
        return Trial(killed_in=killed_in, different=different)


def _code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _phase(place: Path) -> str:
    """What a run was at when it was killed."""
    if (place / "store" / "segments" / "00002.json").exists():
        return "append" if not (place / "all").exists() else "train"
    if (place / "one").exists():
        return "train"
    return "append" if (place / "store" / "segments").exists() else "label"


def main() -> None:
    """Run trials until there were enough kills, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, required=True, help="folder of `engine demo --out`")
    parser.add_argument("--kills", type=int, default=200, help="that hit a run, at least")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    done: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(arguments.demo.absolute(), Path(folder), seed=arguments.seed)
        while sum(phase != "nothing" for trial in done for phase in trial.killed_in) < arguments.kills:
            done.append(trials.trial(len(done)))
            sys.stderr.write(f"{len(done)} {done[-1]}\n")
    phases = Counter(phase for trial in done for phase in trial.killed_in)
    figures = {
        "trials": len(done),
        "kills": sum(count for phase, count in phases.items() if phase != "nothing"),
        "killed_in": phases,
        "good": sum(not trial.different for trial in done),
        "files": len(trials.whole),
    }
    path = write_result("kills_append_train", figures)
    print(json.dumps(figures))
    print(f"written to {path}")


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    main()
