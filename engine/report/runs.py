"""Folders of ``engine train`` and ``engine finetune`` → what their trainings came to, and their curves.

Reads JSON alone and loads no model. A training that still runs, or was stopped, has curves and no figures yet.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import TrainingError
from engine.training.output.metrics_log import METRICS, read_lines
from engine.training.output.run_folder import DONE, RUN

POINTS = 120
VALIDATION = "validation_"
_ARM: dict[str, tuple[type, ...]] = {
    "start": (str,),
    "procedure": (str,),
    "rows": (int,),
    "seconds": (int, float),
    "steps": (int,),
}


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """One training.

    Attributes:
        name: of its folder; with the folders above it where two would be called the same.
        done: whether the model is there.
        model: what it began with, and its parameters where it was judged.
        procedure: how it was trained, in words.
        rows: that it learned from.
        seconds: of training.
        steps: that were taken.
        accuracy: on held-out rows, where it was judged.
        macro_f1: likewise.
        rows_per_second: of judging, likewise.
        curve: points of the loss: step, epoch, loss, each the mean of as many lines.
        validations: the lines in which it was validated.
    """

    name: str
    done: bool
    model: str | None = None
    procedure: str | None = None
    rows: int | None = None
    seconds: float | None = None
    steps: int | None = None
    accuracy: float | None = None
    macro_f1: float | None = None
    rows_per_second: float | None = None
    curve: list[dict[str, float]]
    validations: list[dict[str, float]]


def read_runs(folders: tuple[str, ...]) -> list[TrainingRun]:
    """The trainings in ``folders``, in this order.

    Raises:
        TrainingError: one is no folder of a training, or a file in it is damaged.
    """
    return [_read(Path(folder), name) for folder, name in zip(folders, _names(folders), strict=True)]


def _names(folders: tuple[str, ...]) -> list[str]:
    """The last parts of the paths, as many of them as tell the folders apart; a number where nothing does."""
    parts = [Path(folder).resolve().parts for folder in folders]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(one[-depth:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{one[-1]} ({number})" for number, one in enumerate(parts, start=1)]


def _read(folder: Path, name: str) -> TrainingRun:
    if not (folder / RUN).is_file() and not (folder / DONE).is_file():
        what = "is no folder of a training" if folder.is_dir() else "is no folder"
        raise TrainingError(f"{folder} {what}: name one that `engine train` or `engine finetune` made with --out")
    figures = _read_figures(folder / DONE) if (folder / DONE).is_file() else {}
    lines = _read_metrics(folder / METRICS)
    losses = [line for line in lines if "loss" in line]
    curve = _thinned(losses, ("step", "epoch", "loss"))
    validations = [line for line in lines if any(key.startswith(VALIDATION) for key in line)]
    steps = {"steps": int(lines[-1]["step"])} if lines else {}
    return TrainingRun(name=name, done=bool(figures), curve=curve, validations=validations, **{**steps, **figures})


def _read_figures(file: Path) -> dict[str, Any]:
    """What `engine.training.output.saved_model.save_trained` wrote down, of that what the table shows."""
    try:
        report = json.loads(file.read_text("utf-8"))
        arm = {name: _typed(report[name], name, *types) for name, types in _ARM.items()}
        judged = report["evaluation"]
        start = Path(arm.pop("start")).name
        if judged is None:
            return {**arm, "model": start}
        names = ("accuracy", "macro_f1", "rows_per_second")
        return {
            **arm,
            "model": f"{start}, {_typed(judged['parameters'], 'parameters', int) / 1e6:.3g}M",
            **{name: _typed(judged[name], name, int, float) for name in names},
        }
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"{file} is damaged ({type(error).__name__}: {error}); leave its --run away, or train it again"
        ) from None


def _typed(value: Any, name: str, *types: type) -> Any:
    if not isinstance(value, types) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}")
    return value


def _read_metrics(file: Path) -> list[dict[str, float]]:
    """Its whole lines; what is no number in them is left out."""
    try:
        lines = read_lines(file)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read ({error}); leave its --run away, or train it again") from None
    plain = [{name: value for name, value in line.items() if _is_finite(value)} for line in lines]
    return [line for line in plain if "step" in line]


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _thinned(lines: list[dict[str, float]], names: tuple[str, ...]) -> list[dict[str, float]]:
    """At most `POINTS` points, each the mean of as many lines that follow each other."""
    width = -(-len(lines) // POINTS) or 1
    groups = [lines[start : start + width] for start in range(0, len(lines), width)]
    return [
        {name: sum(line.get(name, 0.0) for line in group) / len(group) for name in names} | {"step": group[-1]["step"]}
        for group in groups
    ]
