"""``MODEL#layers=1,3,5`` → the model, and which of its layers are kept; whether it has them. No torch."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import ModelError

_MARK = "#layers="
_ASKED = re.compile(rf"(.+){_MARK}(\d+(?:,\d+)*)")
_COUNTS = ("num_hidden_layers", "n_layers", "n_layer")
"""How configurations call the number of layers of an encoder."""


def split_layers(source: str) -> tuple[str, list[int] | None]:
    """The hub id or path in ``source``, and the layers behind it, counted from 0; None if it asks for none.

    Raises:
        ModelError: what stands behind ``#layers=`` is no list of numbers.
    """
    if match := _ASKED.fullmatch(source):
        return match[1], [int(layer) for layer in match[2].split(",")]
    if _MARK in source and not Path(source).is_dir():
        raise ModelError(
            f"{source}: behind {_MARK} stand the numbers of layers, counted from 0, with commas between them, as "
            f"{source.partition(_MARK)[0]}{_MARK}1,3,5"
        )
    return source, None


def check_layers(layers: Sequence[int], count: int, *, source: str) -> None:
    """Refuse ``layers`` that a model of ``count`` layers does not have, or that are asked for twice.

    Raises:
        ModelError: there are such.
    """
    if not layers or max(layers) >= count or len(set(layers)) != len(layers):
        asked = ",".join(map(str, layers))
        raise ModelError(f"{source} has the layers 0 to {count - 1}, and {_MARK}{asked} asks for others or one twice")


def count_of_layers(config: Mapping[str, Any]) -> int | None:
    """The layers of a model by the values of its config.json; None if they do not say it plainly."""
    found = [config[name] for name in _COUNTS if name in config]
    return found[0] if len(found) == 1 and isinstance(found[0], int) and found[0] > 0 else None
