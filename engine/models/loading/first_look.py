"""A hub id or a path → whether a model is there, and its class names, by its files alone: no torch, no transformers.

Importing these takes seconds. Whoever misspells a folder is told before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from safetensors import SafetensorError, safe_open

from engine.errors import ModelError
from engine.models.files import CONFIG, fetch, is_adapter, weight_files
from engine.models.heads import are_generic, refuse_other_heads, task_of
from engine.models.loading.chosen_layers import check_layers, count_of_layers, split_layers
from engine.models.loading.remedies import merge_remedy

_CLASSIFIER = "SequenceClassification"
_HEADS = ("classif", "score", "logits_proj", "summary")
"""One of these is in the name of a weight of every head that gives classes of a text."""


@dataclass(frozen=True, kw_only=True)
class FoundModel:
    """A classifier that is there.

    Attributes:
        folder: with its files.
        classes: names in the order of its outputs; None if its files alone do not say.
    """

    folder: Path
    classes: list[str] | None


def find_model(source: str, revision: str | None = None) -> FoundModel:
    """The classifier ``source``.

    Raises:
        ModelError: as `engine.models.files.fetch`; or its config.json says that its outputs are no classes of a text.
    """
    folder = fetch(source, revision)
    if is_adapter(folder):
        return FoundModel(folder=folder, classes=None)
    config = _config(folder)
    _refuse_other_heads(source, folder, config)
    return FoundModel(folder=folder, classes=_class_names(config))


def look_for_model(source: str, revision: str | None = None) -> list[str] | None:
    """The class names of a classifier, in the order of its outputs; None if its files alone do not say.

    Raises:
        ModelError: as `find_model`.
    """
    return find_model(source, revision).classes


def look_for_start(source: str, revision: str | None = None) -> Path | None:
    """Refuse weights to begin a training with, as `engine.models.initialize.load_start` takes them, that are not there.

    Returns:
        The folder with their files; None for a configuration.

    Raises:
        ModelError: as `engine.models.files.fetch`; there is no such configuration; it is an adapter; or it has no such
            layers.
    """
    if source.endswith(".json"):
        refuse_no_configuration(Path(source))
        return None
    place, layers = split_layers(source)
    folder = fetch(place, revision)
    refuse_adapter(place, folder)
    count = count_of_layers(_config(folder))
    if layers is not None and count is not None:
        check_layers(layers, count, source=place)
    return folder


def refuse_adapter(source: str, folder: Path) -> None:
    """Refuse to begin a training with the adapter in ``folder``.

    Raises:
        ModelError: there is one.
    """
    if is_adapter(folder):
        raise ModelError(
            f"{source} is a PEFT adapter, and a training begins with a whole model; {merge_remedy(source)}"
        )


def refuse_no_configuration(file: Path) -> None:
    """Refuse a configuration that is not there.

    Raises:
        ModelError: it is not.
    """
    if not file.is_file():
        raise ModelError(f"{file}: there is no such file; a configuration is a config.json as transformers writes it")


def _config(folder: Path) -> dict[str, Any]:
    """What config.json says; nothing if it cannot be read: who loads the model says what is wrong with it."""
    try:
        values = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _refuse_other_heads(source: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a model whose configuration and weights have no head for classes of a text.

    Raises:
        ModelError: it is one.
    """
    names, given = config.get("id2label"), config.get("architectures")
    architectures = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    outputs = len(names) if isinstance(names, dict) and names else config.get("num_labels", 2)
    said = SimpleNamespace(
        num_labels=outputs if isinstance(outputs, int) else 2,
        problem_type=config.get("problem_type"),
        architectures=architectures,
    )
    refuse_other_heads(source, said)
    if architectures and task_of(said) != _CLASSIFIER and not _has_head(folder):
        raise ModelError(
            f"{source} has no trained classification head: it is a {architectures[0]} (architectures in its "
            "config.json), and its files have no weights of one; fine-tune it first with `engine finetune`"
        )


def _has_head(folder: Path) -> bool:
    """Whether a weight is called as those of heads are; True if the files do not tell."""
    try:
        for file in weight_files(folder):
            with safe_open(file, framework="np") as opened:
                if any(word in name for name in opened.keys() for word in _HEADS):  # noqa: SIM118 - it is no dict
                    return True
    except (SafetensorError, OSError):
        return True
    return False


def _class_names(config: Mapping[str, Any]) -> list[str] | None:
    """The names in ``id2label``, if it numbers them from 0, each once, and they mean something."""
    try:
        names = config["id2label"]
        classes = [names[str(number)] for number in range(len(names))]
    except (LookupError, TypeError):
        return None
    usable = len(classes) > 1 and all(isinstance(name, str) for name in classes) and len(set(classes)) == len(classes)
    return classes if usable and not are_generic(classes) else None
