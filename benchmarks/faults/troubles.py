"""How does a run end whose worker is killed, falls silent or meets a CUDA error that sticks?

    python -m benchmarks.faults.troubles --trials 50

Each trial lets one trouble strike a random shard of a run with two workers, in turn: SIGKILL, silence, and an error
that every later call of that process meets too. With the limits that users have, the run must end within 60 s: with the
store that an undisturbed run makes, or with an error that names the shard. Every fourth trial lets the trouble strike
that shard each time, so that no store can be complete.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults.kills import files, write_texts
from benchmarks.faults.rehearsal import CLASSES
from benchmarks.harness.conditions import write_result
from engine.errors import LabellingError
from engine.ingest.ingest import IngestConfig, ingest
from engine.labelling.runners.local_processes import LocalProcesses
from engine.testing.fake_job import FakeJob
from engine.testing.faults import WorkerFault
from store.storage import LocalStorage

KINDS = ("kill", "hang", "sticky")
SHARDS = 12
LIMIT_SECONDS = 60.0


def label(folder: Path, name: str, faults: tuple[WorkerFault, ...]) -> tuple[str, float]:
    """One run; how it ended (``complete`` or the error) and seconds."""
    storage = LocalStorage(folder / name)
    config = IngestConfig(files=(str(folder / "texts.jsonl"),), shards=SHARDS, classes=CLASSES)
    made = ingest(storage, config, known=CLASSES)
    marks = folder / f"marks-{name}"
    marks.mkdir()
    job = FakeJob(store=str(folder / name), seconds_per_shard=0.05, faults=faults, marks=str(marks))
    job.freeze_card()
    started = time.monotonic()
    try:
        LocalProcesses(devices=("fake:0", "fake:1")).run(job, range(SHARDS), done=lambda *_: None)
        ended = "complete"
    except LabellingError as error:
        ended = str(error)
    labels = made.label_set(job.label_set)
    if labels.seal():
        made.tokens(str((labels.card() or {})["encoding"])).seal()
    return ended, time.monotonic() - started


def main() -> None:
    """Run the trials, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    seconds: dict[str, list[float]] = {}
    good = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_texts(folder / "texts.jsonl")
        label(folder, "whole", ())
        whole = files(folder / "whole")
        for number in range(arguments.trials):
            kind, always = KINDS[number % 3], number % 4 == 3 and KINDS[number % 3] != "hang"
            shard = chance.randrange(SHARDS)
            fault = WorkerFault(kind=kind, shard=shard, times=None if always else 1)
            ended, took = label(folder, f"store-{number}", (fault,))
            complete = ended == "complete" and files(folder / f"store-{number}") == whole
            right = f"shard {shard}" in ended if always else complete
            good += right and took <= LIMIT_SECONDS
            seconds.setdefault(f"{kind}, always" if always else kind, []).append(round(took, 2))
            sys.stderr.write(f"{number + 1}: {kind} {took:.1f} s {ended[:100]}{'' if right else ' WRONG'}\n")
    longest = {kind: max(times) for kind, times in seconds.items()}
    figures = {"trials": arguments.trials, "good": good, "longest_seconds": longest, "seconds": seconds}
    path = write_result("troubles", figures)
    print(json.dumps({key: figures[key] for key in ("trials", "good", "longest_seconds")}))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
