"""How long until `engine label` has computed its first rows, what that needs, and until each mistake is said.

    python -m benchmarks.startup --model FOLDER --input TEXTS.parquet [--rows 400] [--rounds 5]

Every command is a process of its own. Memory is the most that the kernel saw of the process, and of it and all that it
forked together, pages that they share counted once (PSS).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.startup.made_files import ROWS, made_files
from benchmarks.startup.mistakes import mistakes

_PAUSE = 0.03
MISTAKEN = 3
"""Rounds of each mistake."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that has ended.

    Attributes:
        code: its exit status.
        out: what it printed.
        err: its messages.
        seconds: from its start to its end.
        cpu_seconds: of all its processes.
        peak_megabytes: the most memory of the process itself.
        peak_megabytes_in_all: the most of it and its children together.
    """

    code: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float
    peak_megabytes: int
    peak_megabytes_in_all: int


def ran(module: str, arguments: tuple[str, ...]) -> Ran:
    """Run ``python -m module`` and watch it."""
    before, started, peaks = os.times(), time.perf_counter(), [0, 0]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        watcher = threading.Thread(target=_watch, args=(child, peaks))
        watcher.start()
        out, err = child.communicate()
    watcher.join()
    seconds, after = time.perf_counter() - started, os.times()
    return Ran(
        code=child.returncode,
        out=out,
        err=err,
        seconds=round(seconds, 2),
        cpu_seconds=round(
            after.children_user + after.children_system - before.children_user - before.children_system, 2
        ),
        peak_megabytes=peaks[0] // 1024,
        peak_megabytes_in_all=peaks[1] // 1024,
    )


def _watch(child: "subprocess.Popen[str]", peaks: list[int]) -> None:
    """Note the high-water mark of ``child`` in kB, and that of its tree."""
    while child.returncode is None:
        try:
            family = [child.pid, *_children(child.pid)]
            peaks[0] = max(peaks[0], _kilobytes(child.pid, "status", "VmHWM:"))
            peaks[1] = max(peaks[1], sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in family))
        except (OSError, StopIteration):
            pass
        time.sleep(_PAUSE)


def _children(pid: int) -> list[int]:
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def _kilobytes(pid: int, file: str, name: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _label(folder: Path, model: str, rounds: int) -> dict[str, Any]:
    """Label the texts anew in each round."""
    first, of_cpu, runs = [], [], []
    for number in range(rounds):
        store = str(folder / f"{number}.store")
        arguments = ("label", str(folder / "texts.parquet"), "--store", store, "--teacher", model, "--name", "labels")
        done = ran("benchmarks.startup.child", arguments)
        if done.code:
            raise RuntimeError(done.err)
        stages = json.loads(done.out.splitlines()[-1])["seconds"]
        first.append(stages["first rows"])
        of_cpu.append(stages["first rows, CPU"])
        runs.append(done)
        sys.stderr.write(f"round {number + 1} of {rounds}: first rows after {first[-1]:.2f} s\n")
    return {
        "seconds_to_first_rows": first,
        "cpu_seconds_to_first_rows": of_cpu,
        "seconds": [one.seconds for one in runs],
        "cpu_seconds": [one.cpu_seconds for one in runs],
        "peak_megabytes": [one.peak_megabytes for one in runs],
        "peak_megabytes_in_all": [one.peak_megabytes_in_all for one in runs],
    }


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of a fine-tuned classifier")
    parser.add_argument("--input", required=True, help="Parquet with the column text")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    texts = pq.read_table(given.input, columns=["text"])["text"].to_pylist()[: given.rows]
    with tempfile.TemporaryDirectory(prefix="startup-") as place:
        folder = Path(place)
        made_files(folder, given.model, texts[:ROWS])
        said = {}
        for one in mistakes(folder, given.model):
            done = [ran("cli", one.arguments) for _ in range(MISTAKEN)]
            assert one.says in done[0].err, f"{one.what}: {done[0].err}"
            said[one.what] = [run.seconds for run in done]
            print(f"{statistics.median(said[one.what]):6.2f} s  {one.what}", flush=True)
        pq.write_table(pq.read_table(given.input).slice(0, given.rows), folder / "texts.parquet")
        result: dict[str, Any] = {"rows": given.rows, "mistakes": said}
        result["help"] = [ran("cli", ("--help",)).seconds for _ in range(given.rounds)]
        result["label"] = _label(folder, given.model, given.rounds)
    result["model_megabytes"] = sum(file.stat().st_size for file in Path(given.model).glob("*.safetensors")) // 10**6
    print(json.dumps({name: value for name, value in result.items() if name != "mistakes"}, indent=1))
    from benchmarks.harness.conditions import write_result  # torch, which no command may find loaded

    print(f"written to {write_result('startup', result)}")


if __name__ == "__main__":
    main()
