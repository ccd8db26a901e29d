"""A model's logits of labelled rows → its temperature, kept in its folder. No torch: the logits are there."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from engine.evaluation.calibrate import check_enough, fitted_temperature
from engine.evaluation.metrics import Labels, expected_calibration_error
from engine.evaluation.temperature import Logits, fold_temperatures, probabilities
from engine.models.files import refuse_read_only
from engine.prediction.temperature import TEMPERATURE, ModelTemperature, save_temperature

if TYPE_CHECKING:
    from engine.models.classifier import Classifier

_WAY = "give more labelled rows, which the model was not trained on"
_log = logging.getLogger(__name__)


def look_at_calibration(source: str, folder: Path, rows: int | None) -> None:
    """Refuse a calibration that cannot be kept, or that has too few rows, before anything is computed.

    Args:
        source: hub id or path of the model.
        folder: where its files are.
        rows: labelled ones; None if they are not read yet.

    Raises:
        ModelError, InputError: as `calibrate_model`.
    """
    refuse_read_only(folder, TEMPERATURE)
    if rows is not None:
        check_enough(rows, where=source, way=_WAY)


def calibrate_model(model: "Classifier", logits: Logits, gold: Labels) -> tuple[ModelTemperature, float]:
    """Fit the temperature of a model on labelled rows, and keep it in the model's folder.

    Args:
        model: the model.
        logits: (rows, classes) that it gives.
        gold: (rows,) classes.

    Returns:
        The temperature, and the calibration error with temperatures fitted on other rows than those they judge.

    Raises:
        InputError: the rows are too few, or no temperature fits them.
        ModelError: the folder cannot be written.
    """
    look = "the confusion that `engine eval` prints without --calibrate"
    temperature, error = fitted_temperature(logits, gold, where=model.source, way=_WAY, look=look)
    fitted = ModelTemperature(
        temperature=temperature, standard_error=error, rows=len(gold), weights_sha256=model.weights_sha256()
    )
    _log.info("wrote %s", save_temperature(model, fitted))
    fitted_without = fold_temperatures(logits, gold)[:, None]
    return fitted, expected_calibration_error(gold, probabilities(logits, fitted_without))
