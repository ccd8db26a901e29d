"""How many token rows a second does the store's stream give, shuffled, beside what people load with today?

    python -m benchmarks.loader.run --rows 200000 --rounds 5 --peers-python peers/bin/python

Everybody writes the same made rows (token ids, two fp16 logits, the row's number) in its own format, uncompressed, and
gives them back shuffled, in batches of 64, as numpy arrays: ours one array of all ids and offsets, a peer an array a
row. All is read from the page cache. Each time is that of a fresh process, in turn: an epoch in which every row is
checked against what was written, then some that are timed, in which nobody looks at the batches.

A peer can be read in several forms, with and without workers: `benchmarks.loader.contenders` lists them. Each is tried
once on ``--trial-rows`` rows, and the fastest of each peer runs in the rounds. Ratios are taken round by round.

Peers run with the interpreters of ``--peers-python``, which may be given again, since some need other versions than
this project or each other do: ``pip install datasets webdataset litdata torch`` in one environment, ``pip install
mosaicml-streaming==0.13.0 torch torchvision`` in another. Those that no interpreter has are left out, and the result
names them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import compare, lines, run_rounds
from benchmarks.loader.contenders import CONTENDERS, OURS
from benchmarks.loader.data import BATCH_ROWS, Data, make_data

_ROOT = Path(__file__).parent.parent.parent
_LIMIT = 1800.0  # seconds that a process may take


def main() -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--trial-rows", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers-python", action="append", default=[], help="an interpreter that has peers; repeatable")
    parser.add_argument("--name", default="loader", help="of the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"rows": arguments.rows, "trial_rows": arguments.trial_rows, "rounds": arguments.rounds}
        result = measure(Path(folder), pythons=arguments.peers_python, **sizes)
    path = write_result(arguments.name, result)
    print("\n".join(lines(result["figures"], ours=OURS)))
    print(f"written to {path}")


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs one contender, each time in a process of its own.

    Attributes:
        name: of the contender.
        python: the interpreter that has it.
        work: folder with the data, in which it has its own.
    """

    name: str
    python: str
    work: Path

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """The child's answer."""
        place = self.work / CONTENDERS[self.name].module
        paths = {"data": str(self.work / "data"), "place": str(place)}
        return ask(self.python, {"what": what, "contender": self.name, **paths, **more}, home=self.work)

    def seconds(self, form: str, workers: int) -> float:
        """Of one epoch."""
        seconds: float = self.ask("read", form=form, workers=workers)["seconds"]
        return seconds

    def tries(self) -> dict[tuple[str, int], float]:
        """Seconds of each form and number of workers."""
        tries = {}
        for form, counts in CONTENDERS[self.name].forms.items():
            for workers in counts:
                tries[form, workers] = self.seconds(form, workers)
                sys.stderr.write(f"{self.name}, {form}, workers {workers}: {tries[form, workers]:.2f} s\n")
        return tries


def measure(work: Path, *, rows: int, trial_rows: int, rounds: int, pythons: Sequence[str]) -> dict[str, Any]:
    """Everybody is tried, writes, and runs in the rounds."""
    found, absent, versions = _find(pythons, home=work)
    tries = {name: runner.tries() for name, runner in _written(work / "trial", make_data(trial_rows), found).items()}
    chosen = {name: min(times, key=times.__getitem__) for name, times in tries.items()}
    data = make_data(rows)
    runners = _written(work / "rounds", data, found)
    seconds = run_rounds({name: partial(runner.seconds, *chosen[name]) for name, runner in runners.items()}, rounds)
    return {
        "rows": rows,
        "batch_rows": BATCH_ROWS,
        "tokens": {"mean": round(float(data.lengths.mean()), 1), "max": int(data.lengths.max())},
        "absent": absent,
        "peer_versions": versions,
        "chosen": {
            name: {"form": form, "workers": workers, "shuffle": CONTENDERS[name].shuffle}
            for name, (form, workers) in chosen.items()
        },
        "trial_rows": trial_rows,
        "tried_rows_per_second": {
            name: {f"{form}, workers {workers}": round(trial_rows / time) for (form, workers), time in times.items()}
            for name, times in tries.items()
        },
        "seconds": seconds,
        "figures": compare(seconds, rows=rows, ours=OURS),
    }


def _written(work: Path, data: Data, pythons: Mapping[str, str]) -> dict[str, Runner]:
    """A runner for each of ``pythons``, by name, that has written ``data`` in its own format."""
    data.save(work / "data")
    runners = {name: Runner(name=name, python=python, work=work) for name, python in pythons.items()}
    for runner in runners.values():
        runner.ask("write")
    return runners


def _find(pythons: Sequence[str], *, home: Path) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, str]]]:
    """The interpreters of those that can run, why the others are not there, and the versions of peers."""
    packages = sorted({package for contender in CONTENDERS.values() for package in contender.packages})
    installed = {python: ask(python, {"what": "versions", "packages": packages}, home=home) for python in pythons}
    found, absent, versions = {OURS: sys.executable}, {}, {}
    for name, contender in CONTENDERS.items():
        if name == OURS:
            continue
        having = [python for python in pythons if installed[python].keys() >= set(contender.packages)]
        if having:
            found[name] = having[0]
            versions[name] = {package: installed[having[0]][package] for package in contender.packages}
        else:
            absent[name] = f"no --peers-python has {' and '.join(contender.packages)}"
            sys.stderr.write(f"{name} is left out: {absent[name]}\n")
    return found, absent, versions


def ask(python: str, request: dict[str, Any], *, home: Path) -> dict[str, Any]:
    """What `benchmarks.loader.child` answers, run by the interpreter ``python``; its caches are kept in ``home``.

    Raises:
        RuntimeError: it failed.
        subprocess.TimeoutExpired: it did not end.
    """
    done = subprocess.run(
        [python, "-m", "benchmarks.loader.child"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=_LIMIT,
        env={**os.environ, "HOME": str(home), "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{python} {request} ended with {done.returncode}: {done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
