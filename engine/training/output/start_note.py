"""What a training began with, by its files → ``start.json`` in its folder, when all else is there. No torch.

Whoever asks for the same training again is told so without a model in memory. It is a note beside ``run.json``: where
it is missing, or says something else, the model is loaded and the settings are compared.
"""

import json
from pathlib import Path
from typing import Any

from engine.models.files import files_sha256
from engine.models.loading.chosen_layers import split_layers
from store.storage.atomic_file import write_file

START = "start.json"


def start_note(source: str, folder: Path | None, max_length: int | None) -> dict[str, Any] | None:
    """What decides, with a seed and the classes, the model that a training begins with.

    Args:
        source: hub id or path, perhaps with layers.
        folder: where its files are; None for a configuration, which takes a tokenizer from elsewhere.
        max_length: tokens a row, as the user said.

    Returns:
        JSON; None if its files do not decide it.
    """
    if folder is None:
        return None
    return {"layers": split_layers(source)[1], "max_length": max_length, "files_sha256": files_sha256(folder)}


def write_start(folder: Path, note: dict[str, Any] | None) -> None:
    """Write ``note`` into the ``folder`` of a training that is done, unless it is there."""
    if note is not None and not began_with(folder, note):
        write_file(folder / START, json.dumps(note) + "\n")


def began_with(folder: Path, note: dict[str, Any]) -> bool:
    """Whether the ``folder`` of a training that is done has this ``note``."""
    try:
        held = json.loads((folder / START).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(held == note)
