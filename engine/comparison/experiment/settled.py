"""The user's choices, the files, the models and the machine → everything that decides an experiment's figures.

What the user leaves open is decided when the experiment is begun, and stays so: an experiment that goes on later, or is
shared by several processes, has the same settings throughout.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.comparison.experiment.choices import MAX_LENGTH, CompareConfig
from engine.compute.cpu.processor import has_bf16
from engine.compute.device import best_device, default_budget, warn_if_emulated
from engine.errors import ModelError
from engine.ingest.near_duplicates.index import THRESHOLD
from engine.inputs.formats import expand
from engine.models.files import fetch, weights_sha256
from engine.models.initialize import load_start
from engine.training.output.run_folder import flat_names
from engine.training.tasks.config import LoopConfig
from store.storage.file_hash import sha256_of

_FORMAT = 1
_ANY_CLASSES = ("first", "second")  # how long a text may be does not depend on them


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What the user left open, decided.

    Attributes:
        max_length: tokens a row, of all models.
        near: similarity from which rows are taken away; 0 if only equal ones are.
        dtype: of the products of trainings.
        label_dtype: of labelling.
        label_tokens: tokens a batch, of labelling.
    """

    max_length: int
    near: float
    dtype: str
    label_dtype: str
    label_tokens: int

    def loop(self, recipe: LoopConfig, seed: int) -> LoopConfig:
        """``recipe`` for one seed."""
        return replace(recipe, seed=seed, dtype=self.dtype)


def settle(config: CompareConfig, begun: dict[str, Any]) -> Settled:
    """Decide what the user left open, as it was decided when the experiment was begun.

    Args:
        config: the choices.
        begun: settings of the experiment that goes on; empty for a new one.

    Raises:
        ModelError: a model cannot be loaded, or takes fewer tokens than it is to have.
    """
    longest = min(_longest(config.teacher, config.max_length), _longest(config.student_start, config.max_length))
    device = best_device()
    is_cuda = device.type == "cuda"
    half = "bf16" if is_cuda or has_bf16() else "fp32"
    open_: dict[str, Any] = {
        "max_length": min(MAX_LENGTH, longest),
        "near": THRESHOLD,
        "dtype": half,
        "label_dtype": "fp16" if is_cuda else half,
        "label_tokens": default_budget(device),
    }
    said: dict[str, Any] = {"max_length": config.max_length, "near": config.near, "dtype": config.dtype}
    decided: dict[str, Any] = {
        name: said.get(name) if said.get(name) is not None else begun.get(name, value) for name, value in open_.items()
    }
    remedy = "The experiment keeps it; --dtype auto takes what the processor has, with another --out"
    warn_if_emulated(decided["dtype"], device, remedy=remedy)
    return Settled(**decided)


def _longest(model: str, max_length: int | None) -> int:
    """Tokens that ``model``, which begins a training, can take."""
    longest = load_start(model, classes=_ANY_CLASSES).longest
    if max_length is not None and max_length > longest:
        raise ModelError(f"{model} takes {longest} tokens at most, and --max-length is {max_length}")
    return longest


def settings_of(config: CompareConfig, settled: Settled) -> dict[str, Any]:
    """Names and values that are equal if, and only if, the figures will be. Paths and later seeds are not among them.

    Raises:
        InputError: a file does not exist.
        ModelError: a model does not exist.
    """
    sets = {"labelled": config.labelled, "extra": config.extra, "unlabelled": config.unlabelled, "test": config.test}
    loops = {"teacher": config.recipe_teacher, "direct": config.recipe_direct, "distilled": config.recipe_distilled}
    settings = {
        "format": _FORMAT,
        **{f"{name}_sha256": _files_sha256(files) for name, files in sets.items()},
        "columns": config.columns.to_json(),
        "reading": config.options.to_json(),
        "classes": config.classes,
        "on_bad_row": config.on_bad_row,
        "labels": config.labels,
        "keep_split": config.keep_split,
        "teacher_sha256": _start_sha256(config.teacher),
        "student_sha256": config.student if config.begins_as_teacher else _start_sha256(config.student),
        **{name: {**asdict(loop), "seed": None, "dtype": None} for name, loop in loops.items()},
        "loss": asdict(config.loss),
        **asdict(settled),
    }
    return flat_names(settings)


def _files_sha256(patterns: tuple[str, ...]) -> str | None:
    """Hash over those of the files, in their order; None if there are none."""
    hashes = [sha256_of(Path(file)) for file in expand(patterns)] if patterns else []
    return hashlib.sha256("".join(hashes).encode()).hexdigest() if hashes else None


def _start_sha256(model: str) -> str:
    """Hash of the weights that a training begins with, or of the configuration that says their shape."""
    if model.endswith(".json"):
        return sha256_of(Path(model))
    place, sign, layers = model.partition("#")
    return f"{weights_sha256(fetch(place, None))}{sign}{layers}"
