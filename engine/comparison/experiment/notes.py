"""Small files of an experiment that steps leave behind → what they say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import TrainingError

Said = TypeVar("Said")


def read_note(file: Path, parse: Callable[[Any], Said]) -> Said:
    """What ``parse`` makes of the JSON in ``file``, which the same command makes again if it is not there.

    Raises:
        TrainingError: the file is damaged.
    """
    try:
        return parse(json.loads(file.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{file} is damaged ({error}); remove it, and run the same command again") from None
