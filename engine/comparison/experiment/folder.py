"""The folder of an experiment on disk, and the settings with which it was begun.

    comparison.json   the settings; it is there before anything else but ``.rows``
    data/             the rows, as `engine.comparison.experiment.data.rows` has them; ``.rows`` before they are complete
    pool.store        the unlabelled rows with the labels of every seed's teachers
    seed-N/           trained models, and the labelled rows that they learned from
    runs/             of every trained model the logits of the test rows (NAME.npy) and what it cost (NAME.json)
    spans/            from when to when each step was worked on (NAME.json)
    locks/            a folder for each step, whose lock is held by who does it
    report.html       the comparison, with its plots; made anew by every run

A kill anywhere loses what was not finished, and nothing else.
"""

import itertools
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import TrainingError
from engine.outputs.places import folder_on_this_machine
from engine.training.output.run_folder import different_settings
from store.storage.atomic_file import is_unfinished, sync, write_file
from store.storage.file_lock import Lock, locked_folder

SETTINGS = "comparison.json"
_LOCKS, _NEW_ROWS = "locks", ".rows"
_WAIT_SECONDS = 0.5
_log = logging.getLogger(__name__)


class ExperimentFolder:
    """A folder that is new, empty, or that of an experiment that was begun.

    Args:
        out: its path.

    Raises:
        TrainingError: it has other files in it, or is a file.
        OutputPlaceError: it is a URL.
    """

    def __init__(self, out: str) -> None:
        self.path = folder_on_this_machine(out)
        if self.path.exists() and not self.path.is_dir():
            raise TrainingError(f"{out} is a file; name a folder with --out")
        inside = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        if SETTINGS not in inside and not all(name in (_LOCKS, _NEW_ROWS) or is_unfinished(name) for name in inside):
            raise TrainingError(f"{out} is not empty, and no experiment was begun in it; name a new folder with --out")
        self.data, self.store, self.runs = self.path / "data", self.path / "pool.store", self.path / "runs"
        self.spans = self.path / "spans"

    @property
    def page(self) -> Path:
        """The page that shows the comparison."""
        return self.path / "report.html"

    @property
    def new_data(self) -> Path:
        """Where the rows are written, until `begin` gives them their place."""
        return self.path / _NEW_ROWS

    def begin(self, settings: dict[str, Any]) -> None:
        """Write the settings, and give the new rows their place: before that, nothing is settled."""
        write_file(self.path / SETTINGS, json.dumps(settings, indent=1, ensure_ascii=False) + "\n")
        self.new_data.rename(self.data)
        sync(self.path)

    def check(self, settings: dict[str, Any]) -> None:
        """Refuse other settings than those with which the experiment was begun, if it was.

        Raises:
            TrainingError: they differ; the message has their names and both values.
        """
        begun = self.settings()
        if begun and (different := different_settings(begun, settings)):
            raise TrainingError(
                f"{self.path} holds an experiment that was begun with others: {different}. Ask for the same, or name a "
                "new folder with --out"
            )

    def settings(self) -> dict[str, Any]:
        """The settings of the experiment; empty before it is begun.

        Raises:
            TrainingError: their file is damaged.
        """
        file = self.path / SETTINGS
        try:
            settings = json.loads(file.read_text("utf-8"))
            if not isinstance(settings, dict):
                raise ValueError("it is no JSON object")
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise TrainingError(f"{file} is damaged ({error}); name a new folder with --out") from None
        return settings

    def seed(self, seed: int) -> Path:
        """The folder of what belongs to one seed."""
        folder = self.path / f"seed-{seed}"
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Hold the lock of the step ``name``; False if another process does it now."""
        folder = self.path / _LOCKS / name
        folder.mkdir(parents=True, exist_ok=True)
        with locked_folder(folder, shared=False, seconds=0.0) as lock:
            yield lock is not Lock.HELD  # on a disk without locks one process alone can work

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """As `claimed`, and wait for others."""
        for attempt in itertools.count():
            with self.claimed(name) as is_mine:
                if is_mine:
                    yield
                    return
            if attempt == 0:
                _log.info("another process is at the beginning of %s; waiting for it", self.path)
            time.sleep(_WAIT_SECONDS)
