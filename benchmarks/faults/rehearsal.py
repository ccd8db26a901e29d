"""One label run with a made-up teacher, as a process that can be killed: all of a real run but the model.

    python -m benchmarks.faults.rehearsal reviews.jsonl --store reviews.store --shards 12 --workers 2

With `--append FILE`, once or several times, the rows of each file are appended and labelled then. Prints how many
shards it labelled. `benchmarks.faults.kills` and the tests kill it at random moments.
"""

import argparse
import sys

from engine.errors import EngineError
from engine.ingest.append import append, finish_corpus
from engine.ingest.ingest import IngestConfig, ingest
from engine.labelling.execute import execute
from engine.labelling.runners.base import Runner
from engine.labelling.runners.cluster.ray_actors import ray_actors
from engine.labelling.runners.in_process import InProcess
from engine.labelling.runners.local_processes import LocalProcesses
from engine.testing.fake_job import FakeJob
from store import Store
from store.errors import StoreError
from store.format.header import is_store
from store.storage import open_storage

CLASSES = ("negative", "positive")


def main() -> int:
    """Make the store if it is missing, and label the shards that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input")
    parser.add_argument("--store", required=True)
    parser.add_argument("--shards", type=int, default=12)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.05, help="a shard takes at least")
    parser.add_argument("--append", action="append", default=[], help="a file to append, in a third of the shards")
    parser.add_argument("--on", help="a Ray cluster, as of engine label")
    parser.add_argument("--begun", help="a file to which each shard is written when it is begun")
    arguments = parser.parse_args()
    try:
        sys.stdout.write(f"{rehearse(arguments)}\n")
    except (EngineError, StoreError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def rehearse(arguments: argparse.Namespace) -> int:
    """The runs, one after the other; how many shards they labelled."""
    storage = open_storage(arguments.store)
    if is_store(storage):
        made = finish_corpus(storage, (arguments.input,))
    else:
        made = ingest(
            storage, IngestConfig(files=(arguments.input,), shards=arguments.shards, classes=CLASSES), known=CLASSES
        )
    done = _label(made, arguments)
    for file in arguments.append:
        grown = append(storage, IngestConfig(files=(file,), shards=max(1, arguments.shards // 3)))
        done += _label(grown, arguments)
    return done


def _label(made: Store, arguments: argparse.Namespace) -> int:
    """Label the shards that are missing; how many there were."""
    place = made.storage.address
    assert place is not None
    job = FakeJob(store=place, seconds_per_shard=arguments.seconds, begun=arguments.begun)
    job.freeze_card()
    return execute(made, job, _runner(arguments)).shards_done


def _runner(arguments: argparse.Namespace) -> Runner:
    if arguments.on is not None:
        return ray_actors(arguments.on, ("cpu",), arguments.workers)
    if arguments.workers == 1:
        return InProcess("fake:0")
    return LocalProcesses(devices=tuple(f"fake:{number}" for number in range(arguments.workers)))


if __name__ == "__main__":
    sys.exit(main())
