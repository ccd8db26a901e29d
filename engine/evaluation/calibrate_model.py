"""A model's logits of labelled rows → its temperature, kept in its folder."""

import logging

from engine.evaluation.calibrate import fitted_temperature
from engine.evaluation.metrics import Labels, expected_calibration_error
from engine.evaluation.temperature import Logits, fold_temperatures, probabilities
from engine.models.classifier import Classifier
from engine.prediction.temperature import ModelTemperature, save_temperature

_log = logging.getLogger(__name__)


def calibrate_model(model: Classifier, logits: Logits, gold: Labels) -> tuple[ModelTemperature, float]:
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
    way = "give more labelled rows, which the model was not trained on"
    look = "the confusion that `engine eval` prints without --calibrate"
    temperature, error = fitted_temperature(logits, gold, where=model.source, way=way, look=look)
    fitted = ModelTemperature(
        temperature=temperature, standard_error=error, rows=len(gold), weights_sha256=model.weights_sha256()
    )
    _log.info("wrote %s", save_temperature(model, fitted))
    fitted_without = fold_temperatures(logits, gold)[:, None]
    return fitted, expected_calibration_error(gold, probabilities(logits, fitted_without))
