"""When each step was worked on → whether processes shared a machine, so that seconds are more than a step needs."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.comparison.experiment.notes import read_note
from store.storage.atomic_file import write_file
from store.storage.file_lock import THIS_MACHINE


@contextmanager
def noted(folder: Path, name: str) -> Iterator[None]:
    """Note in ``folder`` from when to when the step ``name`` was worked on, once it is done, and on which machine."""
    folder.mkdir(exist_ok=True)
    began = time.time()
    yield
    span = {"machine": THIS_MACHINE, "began": round(began, 3), "ended": round(time.time(), 3)}
    write_file(folder / f"{name}.json", json.dumps(span) + "\n")


def is_shared(folder: Path) -> bool:
    """Whether two of the steps that `noted` has in ``folder`` were worked on at once, on one machine.

    Raises:
        TrainingError: a note is damaged.
    """
    spans = sorted(read_note(file, _span) for file in folder.glob("*.json"))
    return any(
        machine == other and began < ended for (machine, _, ended), (other, began, _) in itertools.pairwise(spans)
    )


def _span(note: Any) -> tuple[str, float, float]:
    return str(note["machine"]), float(note["began"]), float(note["ended"])
