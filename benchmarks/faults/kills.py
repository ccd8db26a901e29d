"""Does a run that is killed at any moment, and run again, leave the store of one that was never stopped?

    python -m benchmarks.faults.kills --kills 200
    python -m benchmarks.faults.kills --kills 20 --demo DEMO   after `engine demo --out DEMO`: a real model
    python -m benchmarks.faults.kills --kills 100 --append     two files are appended and labelled, too

Each trial kills a run by SIGKILL at a random moment of its life, one to three times in a chain: the process alone (its
workers must find out) or with all of its workers. Then a run comes to its end. Every file of the store (without
`runs/` and `tmp/`) must equal that of one undisturbed run, the same for all numbers of workers. The made-up teacher
writes down each shard that it begins, so that work done again is counted: at most one shard a worker and kill.
"""

import argparse
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.conditions import write_result

Command = Callable[[Path, int], list[str]]
"""The command of a run on a store, with so many workers."""
Look = Callable[[Path], dict[str, bytes]]
"""The files of the store that a run is told to make at a place."""
SHARDS = 12


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The outcome of one trial.

    Attributes:
        workers: processes that labelled.
        killed_in: what each kill interrupted: ``inputs``, ``corpus``, ``labels``, ``appended rows``, or ``nothing`` if
            all was done.
        again: shards that were begun more than once over all runs; None if the teacher does not say.
        different: names of files that differ from those of an undisturbed run.
    """

    workers: int
    killed_in: list[str]
    again: int | None
    different: list[str]

    @property
    def kills(self) -> int:
        """How many of them hit."""
        return sum(phase != "nothing" for phase in self.killed_in)

    @property
    def is_good(self) -> bool:
        """Equal bytes, and no more done again than what was in hand."""
        return not self.different and (self.again or 0) <= self.workers * self.kills


def run_trials(
    command: Command, folder: Path, *, workers: list[int], seed: int, shards: int = SHARDS, look: Look | None = None
) -> list[Trial]:
    """One trial for each entry of ``workers``.

    Args:
        command: of a run.
        folder: for the stores.
        workers: how many processes label in each trial.
        seed: of the moments.
        shards: that a run labels in all.
        look: shows what a run made; `files` if None.
    """
    chance, look = random.Random(seed), look or files
    seconds = {count: _undisturbed(command, folder / f"whole-{count}", count) for count in sorted(set(workers))}
    whole = look(folder / f"whole-{workers[0]}")
    if any(look(folder / f"whole-{count}") != whole for count in seconds):
        raise SystemExit("undisturbed runs with different numbers of workers gave different stores")
    trials = []
    for number, count in enumerate(workers):
        trials.append(_try(command, look, folder / f"store-{number}", count, whole, seconds[count], chance))
        if (again := trials[-1].again) is not None:
            trials[-1] = dataclasses.replace(trials[-1], again=again - shards)
        sys.stderr.write(f"{number + 1}: {trials[-1]}\n" if not trials[-1].is_good else f"{number + 1} good\n")
    return trials


def _undisturbed(command: Command, place: Path, workers: int) -> float:
    started = time.monotonic()
    subprocess.run(command(place, workers), check=True, capture_output=True)
    return time.monotonic() - started


def _try(
    command: Command,
    look: Look,
    place: Path,
    workers: int,
    whole: dict[str, bytes],
    seconds: float,
    chance: random.Random,
) -> Trial:
    killed_in = []
    for _ in range(chance.randint(1, 3)):
        hit = _killed_run(command(place, workers), seconds, chance)
        killed_in.append(_phase(look(place)) if hit else "nothing")
    subprocess.run(command(place, workers), check=True, capture_output=True)
    found = look(place)
    begun = place.with_name(f"{place.name}-begun")
    return Trial(
        workers=workers,
        killed_in=killed_in,
        again=len(begun.read_text().splitlines()) if begun.exists() else None,
        different=sorted(name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name)),
    )


def _killed_run(command: list[str], seconds: float, chance: random.Random) -> bool:
    """Start a run and kill it at a random moment: it alone, or with all of its workers. False if it was done."""
    moment, group = chance.uniform(0, seconds), chance.random() < 0.5
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def _phase(found: dict[str, bytes]) -> str:
    """The stage of a run that was killed and left ``found``."""
    if "store.json" not in found:
        return "inputs"
    if any(name.startswith("segments/") for name in found):
        return "appended rows"
    return "labels" if "corpus/manifest.json" in found else "corpus"


def files(place: Path) -> dict[str, bytes]:
    """Every file of a store that its promises are about."""
    names = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(("runs/", "tmp/"))}


def write_texts(file: Path, rows: int = 600) -> None:
    """Made-up texts, some of them bad."""
    texts = (f"{file.stem} {row} " + "word " * (row % 9) if row % 50 else "" for row in range(rows))
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def rehearsal(file: Path, seconds: float, *, more: Sequence[Path] = ()) -> Command:
    """The command of a run with a made-up teacher; and of those that append the files ``more`` then."""
    start = [
        sys.executable,
        "-m",
        "benchmarks.faults.rehearsal",
        str(file),
        "--shards",
        str(SHARDS),
        "--seconds",
        str(seconds),
    ]
    return lambda place, workers: [
        *[*start, "--store", str(place), "--workers", str(workers)],
        *["--begun", str(place.with_name(f"{place.name}-begun"))],
        *[argument for name in more for argument in ("--append", str(name))],
    ]


def real(demo: Path) -> Command:
    """The command of a run with the demo's teacher."""
    start = ["env", "OMP_NUM_THREADS=1", sys.executable, "-m", "cli", "label", str(demo / "unlabelled.parquet")]
    start += ["--teacher", str(demo / "teacher"), "--shards", str(SHARDS)]
    return lambda place, workers: [*start, "--store", str(place), "--devices", ",".join(["cpu"] * workers)]


def main() -> None:
    """Run the trials, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="trials")
    parser.add_argument("--workers", default="1,2,4", help="numbers of workers, in turn")
    parser.add_argument("--demo", type=Path, help="folder of `engine demo --out`: a real model")
    parser.add_argument("--append", action="store_true", help="append two files, one after the other")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.workers.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_texts(place / "texts.jsonl")
        more = [place / f"more-{number}.jsonl" for number in range(2 if arguments.append else 0)]
        for file in more:
            write_texts(file, rows=200)
        command = real(arguments.demo) if arguments.demo else rehearsal(place / "texts.jsonl", 0.05, more=more)
        workers = [counts[number % len(counts)] for number in range(arguments.kills)]
        shards = SHARDS + len(more) * SHARDS // 3
        trials = run_trials(command, place, workers=workers, seed=arguments.seed, shards=shards)
    begun_again = [trial.again for trial in trials if trial.again is not None]
    figures = {
        "trials": len(trials),
        "good": sum(trial.is_good for trial in trials),
        "kills": sum(trial.kills for trial in trials),
        "killed_in": Counter(phase for trial in trials for phase in trial.killed_in),
        "workers": counts,
        "teacher": "engine demo" if arguments.demo else "made-up",
        "shards_begun_again": sum(begun_again) if begun_again else None,
    }
    name = "kills_real" if arguments.demo else "kills_append" if arguments.append else "kills"
    path = write_result(name, figures)
    print(json.dumps(figures))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
