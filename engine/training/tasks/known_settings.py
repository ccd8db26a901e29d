"""A training's request and its rows → those settings of its run that are known before the model is. No torch.

They are as run.json has them: where one differs, the folder is that of another run, which is said before the model is
loaded. The whole of the settings is checked when it is.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from engine.inputs.labels.labelled import Gold
from engine.training.tasks.config import RunConfig


def known_settings(config: RunConfig, classes: list[str], validation: Gold | None) -> dict[str, Any]:
    """The settings that any training has, but for those of its model.

    Args:
        config: what is asked for.
        classes: of the model that is made.
        validation: rows to judge the model on while it is trained, or None.
    """
    judged = None if validation is None else {**asdict(config.validation), "inputs": gold_sha256(validation)}
    return {"classes": classes, "loop": asdict(config.loop), "validation": judged}


def gold_sha256(gold: Gold) -> str:
    """Hash of the texts, classes and labels of labelled rows."""
    digest = hashlib.sha256(json.dumps([gold.texts, gold.classes]).encode())
    digest.update(gold.labels.astype("<i8").tobytes())
    return digest.hexdigest()
