"""A training that was asked for again, as it was done → its report, without a model in memory. No torch."""

import logging
from typing import Any

from engine.inputs.labels.labelled import Gold
from engine.training.output.run_folder import RunFolder
from engine.training.output.start_note import began_with
from engine.training.output.trained import Trained, read_trained
from engine.training.tasks.known_settings import gold_sha256
from engine.training.tasks.launch import rank_count

_OF_THE_MODEL = {"start_sha256", "encoding_sha256", "max_length", "rows", "weight_sha256"}
"""Settings that follow from the others and from what the note of the start says."""
_log = logging.getLogger(__name__)


def done_already(
    folder: RunFolder, known: dict[str, Any], note: dict[str, Any] | None, evaluation: Gold | None
) -> Trained | None:
    """The report of the run in ``folder``, if it is done and is the one that is asked for; else None.

    Args:
        folder: whose settings were compared with those that are known.
        known: the settings, with `engine.training.output.run_folder.flat_names`.
        note: as of `engine.training.output.start_note`.
        evaluation: rows for the final evaluation, or None. Other ones than before are left to who loads the model.

    Raises:
        TrainingError: its report is damaged.
    """
    if not folder.is_done or note is None or rank_count() > 1 or not began_with(folder.path, note):
        return None
    if not folder.settings.keys() <= known.keys() | _OF_THE_MODEL:
        return None
    trained = read_trained(folder.path, rank=0)
    if evaluation is not None and gold_sha256(evaluation) != trained.evaluated:
        return None
    _log.info("%s is done already; nothing was trained", folder.path)
    return trained
