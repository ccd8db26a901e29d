"""Are two workers of one thread faster than one worker of two threads? The same rows in the same shards, in turn.

Both sides run in worker processes, one or two, that have nothing else to do. A label run's own clock begins when the
first worker is ready and ends when the last has gone, which is unfair to two. Here a worker says that it is ready only
when all have loaded the model, and the time ends with the last shard that is committed.
"""

import dataclasses
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import engine
import store
from benchmarks.harness.rounds import compare, run_rounds
from benchmarks.labelling.relabelling import NAME, forget, let_workers_import
from engine.labelling.execute import execute
from engine.labelling.job import LabelJob
from engine.labelling.runners.local_processes import LocalProcesses
from store.families.label_card import label_card

if TYPE_CHECKING:
    from engine.labelling.runners.base import ShardSteps

SIDES = {"two workers of one thread": ("cpu", "cpu"), "one worker of two threads": ("cpu",)}
_WAIT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Together:
    """A job that is open when it is open in all workers.

    Attributes:
        job: the work.
        marks: a folder in which each worker leaves a file.
        workers: how many there are.
    """

    job: LabelJob
    marks: str
    workers: int

    @property
    def label_set(self) -> str:
        """Name of the label set."""
        return self.job.label_set

    @property
    def keep_tokens(self) -> bool:
        """Whether token ids are stored too."""
        return self.job.keep_tokens

    def of_run(self, run_log: str) -> "Together":
        """The job of one run."""
        return dataclasses.replace(self, job=self.job.of_run(run_log))

    def open(self, device: str) -> "ShardSteps":
        """Load the teacher, and wait for the others.

        Raises:
            TimeoutError: they did not come.
        """
        steps, marks = self.job.open(device), Path(self.marks)
        (marks / str(time.monotonic_ns())).touch()
        limit = time.monotonic() + _WAIT_SECONDS
        while len(list(marks.iterdir())) < self.workers:
            if time.monotonic() > limit:
                raise TimeoutError(f"not all of {self.workers} workers have loaded the model")
            time.sleep(0.005)
        return steps


class _Clock:
    """Told of every step: seconds from the first, which is that all workers are ready, to the last."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def tick(self, _what: str, _done: int, _total: int | None) -> None:
        self._times.append(time.perf_counter())

    def seconds(self) -> float:
        return self._times[-1] - self._times[0]


def measure_workers(model: Path, file: Path, work: Path, *, rounds: int, shards: int) -> dict[str, Any]:
    """Both sides, in turn."""
    let_workers_import()
    place = work / "store"

    def label(devices: tuple[str, ...]) -> float:
        return label_in_workers(model, file, place, devices=devices, shards=shards)

    for devices in SIDES.values():
        label(devices)
    seconds = run_rounds({name: partial(label, devices) for name, devices in SIDES.items()}, rounds)
    rows = store.open(place).layout.rows
    return {
        "rows": rows,
        "shards": shards,
        "threads": torch.get_num_threads(),
        "includes": "reading, tokenising, computing, checking, writing, committing; loading for neither",
        "seconds": seconds,
        "figures": compare(seconds, rows=rows, ours=next(iter(SIDES))),
    }


def label_in_workers(
    model: Path, file: Path, place: Path, *, devices: tuple[str, ...], shards: int, dtype: str | None = None
) -> float:
    """Seconds of labelling all texts of ``file`` anew, from when all workers are ready to the last committed shard.

    Args:
        model: labels.
        file: the texts.
        place: of the store, whose labels and token ids of before are deleted.
        devices: one for each worker.
        shards: parts of the label set.
        dtype: of products; as the machine chooses if None.
    """
    forget(place)
    begin = engine.LabelConfig(
        store=str(place),
        teacher=str(model),
        inputs=(str(file),),
        name=NAME,
        shards=shards,
        devices=devices,
        worker=(shards, shards + 1),
        choices=engine.Choices(dtype=dtype),
    )
    engine.label(begin)  # makes the corpus and freezes the card, and has no shard to label
    made = store.open(place)
    card = label_card(made.label_set(NAME))
    assert card is not None, "the run above has begun the label set"
    job = LabelJob(
        store=str(place),
        label_set=NAME,
        teacher=str(model),
        revision=None,
        card=dataclasses.replace(card, threads=max(1, torch.get_num_threads() // len(devices))),
        keep_tokens=True,
        workers=len(devices),
    )
    marks = place.with_name(f"marks-{time.monotonic_ns()}")
    marks.mkdir()
    together = Together(job=job, marks=str(marks), workers=len(devices))
    clock = _Clock()
    execute(made, together, LocalProcesses(devices=devices), tick=clock.tick)
    return clock.seconds()
