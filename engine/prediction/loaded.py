"""A model that is loaded once and asked many times, as a web service does."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.backend import Workload
from engine.compute.backends import choose_backend
from engine.compute.device import (
    best_device,
    default_budget,
    default_dtype,
    find_device,
    limited_threads,
    warn_if_emulated,
)
from engine.compute.encoder import Encoder
from engine.errors import InputError, ModelError
from engine.models.classifier import load_classifier
from engine.prediction.temperature import read_temperature
from store.families.labels import softmax


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a model says of some texts.

    Attributes:
        classes: (rows,) the most probable class of each.
        confidence: (rows,) float64, its probability.
        probabilities: (rows, classes) float64, in the order of `LoadedModel.classes`.
    """

    classes: list[str]
    confidence: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.classes)


class LoadedModel:
    """A classifier on a device. Several threads may ask it; it answers one after the other.

    Args:
        model: hub id or path of a fine-tuned classifier.
        revision: of the hub id.
        device: ``cpu``, ``cuda`` or ``cuda:N``; the first GPU, or else the CPU, if None.
        dtype: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``; that of labelling on the device if None.
        max_length: tokens a text; as of labelling if None.
        calibrated: whether its temperature is used.
        threads: on a CPU; as many as torch has now if None.

    Attributes:
        classes: names, in the order of `Predictions.probabilities`.

    Raises:
        ModelError: the model cannot be loaded, or not be computed so.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        max_length: int | None = None,
        calibrated: bool = False,
        threads: int | None = None,
    ) -> None:
        loaded = load_classifier(model, revision=revision)
        self.classes = loaded.classes
        self._temperature = read_temperature(loaded).temperature if calibrated else 1.0
        self._encoding = loaded.encoding(max_length)
        self._device = best_device() if device is None else find_device(device)
        self._threads = threads or torch.get_num_threads()
        dtype, longest = dtype or default_dtype(self._device), self._encoding.max_length
        warn_if_emulated(dtype, self._device, remedy="Leave dtype out")
        workload = Workload(longest=longest, device=self._device, dtype=dtype)
        self._encoder = Encoder(
            loaded,
            device=self._device,
            dtype=dtype,
            budget=default_budget(self._device),
            backend=choose_backend(loaded.module, workload),
            longest=longest,
        )
        self._lock = threading.Lock()

    def predict(self, texts: Sequence[str]) -> Predictions:
        """The class of each text.

        Args:
            texts: any number of them.

        Raises:
            InputError: one is no text; a single string stands where several texts should.
            ModelError: a text does not fit into memory, or the model gives nothing finite for it.
        """
        if isinstance(texts, str):
            raise InputError("predict takes a list of texts, and this is one text; put it into a list")
        given: list[Any] = list(texts)
        for place, text in enumerate(given):
            if not isinstance(text, str):
                raise InputError(f"text {place} is {type(text).__name__}, and no text")
        if not given:
            nothing = np.empty((0, len(self.classes)))
            return Predictions(classes=[], confidence=nothing.sum(axis=1), probabilities=nothing)
        probabilities = softmax(self._logits(given).astype(np.float64) / self._temperature)
        best = probabilities.argmax(axis=1)
        return Predictions(
            classes=[self.classes[number] for number in best],
            confidence=probabilities[np.arange(len(best)), best],
            probabilities=probabilities,
        )

    def _logits(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """(texts, classes) float32; those of half precision that are not finite are computed again in fp32."""
        with self._lock, limited_threads(self._device, self._threads):
            tokens = self._encoding.encode(texts)
            logits = self._encoder.logits(tokens, self._encoder.plan(tokens))
            for row in np.flatnonzero(~np.isfinite(logits).all(axis=1)):
                logits[row] = self._encoder.exact_logits(tokens, int(row))
                if not np.isfinite(logits[row]).all():
                    raise ModelError(f"the model gives nothing finite for text {row}; use an earlier checkpoint of it")
        return logits


load = LoadedModel
