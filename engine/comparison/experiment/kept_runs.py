"""Trained models of an experiment → files of what they said and cost, and back.

``NAME.npy`` has the logits of the test rows, (rows, classes) float16. ``NAME.json`` comes after it, with its hash, and
says that the run is complete.
"""

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.comparison.results import ArmRun
from engine.errors import TrainingError
from store.storage.atomic_file import write_file


def write_run(folder: Path, name: str, run: ArmRun, *, identity: str) -> None:
    """Keep ``run`` under ``name``.

    Args:
        folder: of all runs.
        name: of this one.
        run: what was measured.
        identity: hash of everything that decides the logits.
    """
    folder.mkdir(exist_ok=True)
    file = io.BytesIO()
    np.save(file, run.logits, allow_pickle=False)
    logits = file.getvalue()
    figures = {one.name: getattr(run, one.name) for one in dataclasses.fields(run) if one.name != "logits"}
    card = {"identity": identity, "logits_sha256": hashlib.sha256(logits).hexdigest(), **figures}
    write_file(folder / f"{name}.npy", logits)
    write_file(folder / f"{name}.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n")


def has_run(folder: Path, name: str) -> bool:
    """Whether `write_run` has come to its end."""
    return (folder / f"{name}.json").exists()


def seeds_with_runs(folder: Path) -> int:
    """The number of seeds up to the last one that has a run; names end with a hyphen and the seed."""
    ends = [file.stem.rpartition("-")[2] for file in folder.glob("*-*.json")]
    return max((int(end) + 1 for end in ends if end.isdecimal()), default=0)


def read_run(folder: Path, name: str, *, identity: str) -> ArmRun:
    """The inverse of `write_run`.

    Raises:
        TrainingError: a file is damaged, or of an experiment with other settings.
    """
    card, logits = folder / f"{name}.json", folder / f"{name}.npy"
    again = f"remove {card}, and run the same command again"
    try:
        figures: dict[str, Any] = json.loads(card.read_text("utf-8"))
        held, sha256 = figures.pop("identity"), figures.pop("logits_sha256")
        data = logits.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ValueError(f"{logits.name} has other bytes than were written")
        run = ArmRun(**figures, logits=np.load(io.BytesIO(data), allow_pickle=False))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{card} is damaged ({error}); {again}") from None
    if held != identity:
        raise TrainingError(
            f"{card} is of an experiment with other settings ({held}, and this one is {identity}); {again}"
        )
    return run
