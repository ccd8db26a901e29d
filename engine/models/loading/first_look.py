"""A hub id or a path → whether a model is there, and its class names, by its files alone: no torch, no transformers.

Importing these takes seconds. Whoever misspells a folder is told before.
"""

import json
from pathlib import Path

from engine.errors import ModelError
from engine.models.files import CONFIG, fetch, is_adapter
from engine.models.heads import are_generic

_LAYERS = "#layers="


def look_for_model(source: str, revision: str | None = None) -> list[str] | None:
    """The class names of a classifier, in the order of its outputs; None if its files alone do not say.

    Raises:
        ModelError: as `engine.models.files.fetch`.
    """
    folder = fetch(source, revision)
    return None if is_adapter(folder) else _class_names(folder)


def look_for_start(source: str, revision: str | None = None) -> None:
    """Refuse weights to begin a training with, as `engine.models.initialize.load_start` takes them, that are not there.

    Raises:
        ModelError: as `engine.models.files.fetch`; or there is no such configuration.
    """
    if source.endswith(".json"):
        refuse_no_configuration(Path(source))
    else:
        fetch(source.partition(_LAYERS)[0], revision)


def refuse_no_configuration(file: Path) -> None:
    """Refuse a configuration that is not there.

    Raises:
        ModelError: it is not.
    """
    if not file.is_file():
        raise ModelError(f"{file}: there is no such file; a configuration is a config.json as transformers writes it")


def _class_names(folder: Path) -> list[str] | None:
    """The names in ``id2label``, if it numbers them from 0, each once, and they mean something."""
    try:
        names = json.loads((folder / CONFIG).read_text("utf-8"))["id2label"]
        classes = [names[str(number)] for number in range(len(names))]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    usable = len(classes) > 1 and all(isinstance(name, str) for name in classes) and len(set(classes)) == len(classes)
    return classes if usable and not are_generic(classes) else None
