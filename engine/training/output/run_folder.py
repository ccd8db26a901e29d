"""The folder of one training: its settings, its checkpoints and metrics, and in the end the model.

OUT/run.json              settings, and hashes of models and rows; a resumed run must have the same ones
OUT/weights.npy           the weight of each row, if the training has weights
OUT/checkpoints/          see `engine.training.output.checkpoint`
OUT/metrics.jsonl         see `engine.training.output.metrics_log`
OUT/model.safetensors …   the model, when it is done; training.json comes last
OUT/start.json            see `engine.training.output.start_note`
OUT/.mlm-texts/           the texts of --mlm, until they are learned
OUT/mlm/                  the folder of that training, which has the same files
"""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import TrainingError
from engine.outputs.places import folder_on_this_machine
from store.storage.atomic_file import is_unfinished, remove_unfinished, write_file

Report = TypeVar("Report")
RUN, DONE, CHECKPOINTS = "run.json", "training.json", "checkpoints"
WEIGHTS = "weights.npy"
MODEL_BEFORE = ".model-"  # of a folder in which the model is written before it is put in its place
_LOCK = ".lock"
_WORDS = {
    "gold_sha256": "the labelled rows",
    "start_sha256": "the start's weights",
    "texts_sha256": "the texts of --mlm",
    "mlm.texts_sha256": "the texts of --mlm",
    "encoding_sha256": "the tokens of a text",
}
MLM, TEXTS = "mlm", ".mlm-texts"
_BEFORE_RUN = {_LOCK, WEIGHTS, MLM, TEXTS, f".{RUN}", "weights.unfinished.npy"}
"""Names that a folder may have before its run begins; the last two are what earlier versions left."""


def different_settings(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The settings that are not as they were, with both values; empty if all are."""
    new = json.loads(json.dumps(new))
    different = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return "; ".join(
        f"{_WORDS[name]} are others" if name in _WORDS else f"{name} was {old.get(name)!r} and is {new.get(name)!r}"
        for name in different
    )


def flat_names(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"loop": {"seed": 0}}`` → ``{"loop.seed": 0}``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flat_names(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def read_report(folder: Path, make: Callable[[dict[str, Any]], Report]) -> Report:
    """What ``make`` makes of the report in ``folder``, that of a run which is done.

    Raises:
        TrainingError: the file is damaged.
    """
    try:
        return make(json.loads((folder / DONE).read_text("utf-8")))
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder / DONE} is damaged ({error}); remove it, and run the same command again"
        ) from None


class RunFolder:
    """A folder that is new, empty, or that of an earlier run of the same training.

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
        if RUN not in inside and not all(name in _BEFORE_RUN or is_unfinished(name) for name in inside):
            raise TrainingError(f"{out} is not empty, and no training was begun in it; name a new folder with --out")

    @property
    def has_begun(self) -> bool:
        """Whether the settings are written."""
        return (self.path / RUN).exists()

    @property
    def is_done(self) -> bool:
        """Whether the model is complete."""
        return (self.path / DONE).exists()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with which the run was begun; empty before that.

        Raises:
            TrainingError: their file is damaged.
        """
        if not self.has_begun:
            return {}
        try:
            begun = json.loads((self.path / RUN).read_text("utf-8"))
            if not isinstance(begun, dict):
                raise ValueError("it is no JSON object")
        except ValueError as error:
            raise TrainingError(
                f"{self.path / RUN} is damaged ({error}), so that the settings of the run are unknown; name a new "
                "folder with --out"
            ) from None
        return begun

    def check(self, settings: dict[str, Any], *, partly: bool = False) -> None:
        """Refuse to resume a run with other settings than its own.

        Args:
            settings: of the run that is asked for, with `flat_names`.
            partly: whether they are only some of its settings, so that it may have others.

        Raises:
            TrainingError: settings differ; the message has their names and both values.
        """
        if not self.has_begun:
            return
        begun = self.settings
        if partly:
            begun = {name: value for name, value in begun.items() if name in settings}
        if different := different_settings(begun, settings):
            raise TrainingError(
                f"{self.path} holds a run that was begun with other settings: {different}. Ask for the same, or name a "
                "new folder with --out"
            )

    def begin(self, settings: dict[str, Any]) -> None:
        """Write the settings, once; they are on the disk before any checkpoint is."""
        if not self.has_begun:
            write_file(self.path / RUN, json.dumps(settings, indent=1, ensure_ascii=False) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and keep other runs out of it.

        Raises:
            TrainingError: another run is active in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(f"another run is active in {self.path}; wait for it, or end it") from None
            for unfinished in self.path.glob(f"{MODEL_BEFORE}*"):
                shutil.rmtree(unfinished)
            remove_unfinished(self.path)
            yield
