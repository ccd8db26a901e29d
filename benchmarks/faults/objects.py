"""Do kills, and writers at once, lose or double anything in a store on S3?

    python -m benchmarks.faults.objects --kills 50 --races 21
    python -m benchmarks.faults.objects --endpoint http://127.0.0.1:8333 --name objects_seaweedfs

As `benchmarks.faults.kills`: each trial kills a run with a made-up teacher at random moments, one to three times in a
chain, and a run comes to its end. In each race 2 to 8 runs, in turn, begin one store at the same time. Every file must
equal that of an undisturbed run on a disk. The server is moto's on the loopback, unless `--endpoint` names another one
that has a bucket called `bucket`, for which the environment has the credentials.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.kills import Command, files, rehearsal, run_trials, write_texts
from benchmarks.harness.conditions import write_result
from benchmarks.harness.object_server import files_at, object_server

WORKERS = [1, 2, 4]
WRITERS = range(2, 9)


def on_objects(command: Command, bucket: str) -> Command:
    """The same runs, of stores in ``bucket`` that are called as the places that are given."""
    return lambda place, workers: [
        f"{bucket}/{place.name}" if argument == str(place) else argument for argument in command(place, workers)
    ]


def race(command: Command, place: Path, writers: int) -> list[int]:
    """Exit codes of so many runs that begin at once."""
    started = [
        subprocess.Popen(command(place, 1), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(writers)
    ]
    return [process.wait() for process in started]


def main() -> None:
    """Run the trials and the races, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="trials")
    parser.add_argument("--races", type=int, default=21)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--endpoint", help="of another server")
    parser.add_argument("--name", default="objects_kills", help="of the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, object_server(arguments.endpoint) as bucket:
        figures = measure(Path(folder), f"{bucket}/{uuid.uuid4().hex[:8]}", arguments)
    path = write_result(arguments.name, figures)
    print(json.dumps(figures))
    print(f"written to {path}")


def measure(folder: Path, bucket: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All trials and races, in ``bucket``."""
    write_texts(folder / "texts.jsonl")
    on_disk = rehearsal(folder / "texts.jsonl", 0.05)
    command = on_objects(on_disk, bucket)
    subprocess.run(on_disk(folder / "disk", 1), check=True, capture_output=True)
    disk = files(folder / "disk")
    workers = [WORKERS[number % len(WORKERS)] for number in range(arguments.kills)]

    def look(place: Path) -> dict[str, bytes]:
        return files_at(f"{bucket}/{place.name}")

    started = time.monotonic()
    trials = run_trials(command, folder, workers=workers, seed=arguments.seed, look=look)
    if trials and look(folder / f"whole-{workers[0]}") != disk:
        raise SystemExit("an undisturbed run on the object store made another store than one on a disk")
    good: Counter[int] = Counter()
    for number in range(arguments.races):
        writers = WRITERS[number % len(WRITERS)]
        codes = race(command, folder / f"race-{number}", writers)
        is_good = not any(codes) and look(folder / f"race-{number}") == disk
        good[writers] += is_good
        sys.stderr.write(f"race {number + 1} of {writers}: {'good' if is_good else f'BAD {codes}'}\n")
    return {
        "server": arguments.endpoint or "moto",
        "trials": len(trials),
        "good": sum(trial.is_good for trial in trials),
        "kills": sum(trial.kills for trial in trials),
        "killed_in": Counter(phase for trial in trials for phase in trial.killed_in),
        "workers": WORKERS,
        "shards_begun_again": sum(trial.again or 0 for trial in trials),
        "races": arguments.races,
        "good_races": good.total(),
        "writers": f"{WRITERS.start} to {WRITERS.stop - 1}",
        "seconds": round(time.monotonic() - started),
    }


if __name__ == "__main__":
    main()
