"""Does a Ray cluster whose nodes, workers and drivers are killed at any moment leave the store of an undisturbed run?

    python -m benchmarks.faults.nodes --trials 30

Each trial labels a store with a made-up teacher on a cluster of two or three nodes of one core, and kills at a random
moment a node (which is replaced), a worker or the driver (which is started again). Every file of the store, without
`runs/` and `tmp/`, must equal that of a run in one process on a disk. At most the shards in hand are begun again: one
a kill of a worker or a node, one a worker if the driver was killed.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.kills import SHARDS, files, rehearsal, write_texts
from benchmarks.harness.conditions import write_result
from engine.testing.ray_cluster import RayCluster

SECONDS = 0.5
_LATEST = 5.0


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The outcome of one trial.

    Attributes:
        nodes: of the cluster.
        killed: ``node``, ``worker`` or ``driver``; ``nothing`` if all was done before.
        again: shards that were begun more than once.
        different: names of files that differ.
        seconds: from the first start to the end.
    """

    nodes: int
    killed: str
    again: int
    different: list[str]
    seconds: float

    @property
    def is_good(self) -> bool:
        """Equal bytes, and no more done again than what was in hand."""
        allowed = {"node": 1, "worker": 1, "driver": self.nodes, "nothing": 0}[self.killed]
        return not self.different and self.again <= allowed


def main() -> None:
    """Run the trials, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance, trials = random.Random(arguments.seed), list[Trial]()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_texts(place / "texts.jsonl")
        subprocess.run(rehearsal(place / "texts.jsonl", 0.0)(place / "whole", 1), check=True, capture_output=True)
        for nodes in (2, 3):
            with RayCluster(nodes) as cluster:
                for _ in range(arguments.trials // 2):
                    kind = chance.choice(["node", "worker", "driver"])
                    moment = chance.uniform(0, _LATEST)
                    trials.append(try_once(place, cluster, nodes, kind, moment, number=len(trials)))
                    sys.stderr.write(f"{len(trials)}: {trials[-1]}\n")
    figures = {
        "trials": len(trials),
        "good": sum(trial.is_good for trial in trials),
        "killed": Counter(trial.killed for trial in trials),
        "nodes": [2, 3],
        "shards": SHARDS,
        "shards_begun_again": sum(trial.again for trial in trials),
        "teacher": "made-up",
    }
    path = write_result("ray_kills", figures)
    print(json.dumps(figures))
    print(f"written to {path}")


def try_once(place: Path, cluster: RayCluster, nodes: int, kind: str, moment: float, *, number: int) -> Trial:
    """Label one store, and kill once, ``moment`` seconds after the first shard was begun."""
    store = place / f"store-{number}"
    begun = store.with_name(f"{store.name}-begun")
    command = [*rehearsal(place / "texts.jsonl", SECONDS)(store, nodes), "--on", "ray"]
    environment = {**os.environ, **cluster.environment}
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    wait_until(lambda: begun.exists() or process.poll() is not None)
    try:
        process.wait(moment)
        kind = "nothing"
    except subprocess.TimeoutExpired:
        kind = kill(cluster, process, kind)
    if process.wait(300):
        subprocess.run(command, check=True, capture_output=True, env=environment, timeout=300)
    seconds = time.monotonic() - started
    whole, found = files(place / "whole"), files(store)
    if kind == "node":
        cluster.add_node()
    wait_until(lambda: cluster.free_cpus() == nodes)
    return Trial(
        nodes=nodes,
        killed=kind,
        again=len(begun.read_text().splitlines()) - SHARDS,
        different=sorted(name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name)),
        seconds=round(seconds, 1),
    )


def kill(cluster: RayCluster, process: "subprocess.Popen[bytes]", kind: str) -> str:
    """Kill a node, a worker or the driver; which it was, or ``nothing`` if no worker was left."""
    if kind == "node":
        cluster.kill_node()
    elif kind == "driver":
        process.send_signal(signal.SIGKILL)
    elif worker := cluster.worker():
        os.kill(worker, signal.SIGKILL)
    else:
        return "nothing"
    return kind


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for ``condition``, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the cluster does not come to rest")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
