"""A model's temperature, beside its weights: with it, its confidence is the share of rows that it is right on.

``calibration.json`` in the model's folder says of which weights it is: those of a later training have no temperature.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ModelError
from engine.models.files import unwritable
from store.storage.atomic_file import write_file

if TYPE_CHECKING:
    from engine.models.classifier import Classifier

TEMPERATURE = "calibration.json"


@dataclass(frozen=True, kw_only=True)
class ModelTemperature:
    """The temperature of a model.

    Attributes:
        temperature: T: probabilities are the softmax of logits / T.
        standard_error: of T.
        rows: labelled ones that it was fitted on.
        weights_sha256: of the model's weights.
    """

    temperature: float
    standard_error: float
    rows: int
    weights_sha256: str


def save_temperature(model: "Classifier", fitted: ModelTemperature) -> Path:
    """Write ``fitted`` into the folder of ``model``; where it is.

    Raises:
        ModelError: the folder cannot be written.
    """
    place = model.folder / TEMPERATURE
    try:
        write_file(place, json.dumps(dataclasses.asdict(fitted), indent=1) + "\n")
    except OSError as error:
        raise unwritable(place, error.strerror) from error
    return place


def read_temperature(model: "Classifier") -> ModelTemperature:
    """The temperature of ``model``.

    Raises:
        ModelError: it has none, one of other weights, or a damaged one.
    """
    fitted = held_temperature(model.folder, model.source)
    if fitted.weights_sha256 != model.weights_sha256():
        place, way = model.folder / TEMPERATURE, _way(model.source)
        raise ModelError(f"the temperature in {place} is of other weights than those of {model.source} now; {way}")
    return fitted


def held_temperature(folder: Path, source: str) -> ModelTemperature:
    """The temperature in the ``folder`` of the model ``source``, whatever weights it is of.

    Raises:
        ModelError: there is none, or a damaged one.
    """
    place, way = folder / TEMPERATURE, _way(source)
    try:
        fitted = ModelTemperature(**json.loads(place.read_text("utf-8")))
        usable = 0 < fitted.temperature < math.inf
    except FileNotFoundError:
        raise ModelError(f"{source} has no temperature; {way}") from None
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{place} cannot be read ({error}); {way}") from error
    if not usable:
        raise ModelError(f"{place}: the temperature is {fitted.temperature}; {way}")
    return fitted


def _way(source: str) -> str:
    return f"`engine eval {source} LABELLED --calibrate` fits one on labelled rows"
