"""When each step was worked on → whether processes shared a machine, so that seconds are too many."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Whether two of the steps that `noted` has in ``folder`` were worked on at once, on one machine."""
    notes = [json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")]
    spans = sorted((str(note["machine"]), float(note["began"]), float(note["ended"])) for note in notes)
    return any(
        machine == other and began < ended for (machine, _, ended), (other, began, _) in itertools.pairwise(spans)
    )
