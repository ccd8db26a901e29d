"""Models and inputs → the plan of a prediction: that of an earlier run of the same request, or a new one."""

import dataclasses
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from engine.compute.device import device_kind, find_device
from engine.ingest.input_file import file_version
from engine.labelling.dtype_choice import LEAST_ROWS, PILOT_ROWS
from engine.labelling.runners.base import Runner
from engine.models.classifier import Classifier, load_classifier
from engine.models.heads import order_of_classes
from engine.prediction.cascade_card import read_cascade
from engine.prediction.config import PredictConfig
from engine.prediction.spool import spool
from engine.prediction.stdin import Source
from engine.prediction.temperature import read_temperature
from engine.prediction.work_folder import DEFERRED, Plan, WorkFolder
from engine.progress import Tick

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StageModel:
    """A loaded model of a prediction.

    Attributes:
        stage: that it computes.
        model: the model.
        weights: their hash.
        temperature: that its logits are divided by.
        order: of a second model, for each class of the first its index among the second's; else empty.
        threshold: of a second model: the first one's confidence below which a row is its row.
    """

    stage: str
    model: Classifier
    weights: str
    temperature: float
    order: tuple[int, ...] = ()
    threshold: float = 0.0

    @classmethod
    def load(cls, stage: str, name: str, revision: str | None, config: PredictConfig) -> "StageModel":
        """Load ``name``.

        Raises:
            ModelError: it cannot be loaded, takes fewer tokens than asked for, or lacks the temperature asked for.
        """
        model = load_classifier(name, revision=revision)
        model.encoding(config.choices.max_length)  # says if it cannot take as many tokens
        temperature = read_temperature(model).temperature if config.calibrated else 1.0
        return cls(stage=stage, model=model, weights=model.weights_sha256(), temperature=temperature)


def second_model(config: PredictConfig, first: StageModel) -> StageModel | None:
    """The model that the first defers to.

    Raises:
        ModelError: it has other classes, or no threshold is known.
    """
    if config.cascade is None:
        return None
    second = StageModel.load(DEFERRED, config.cascade.model, config.cascade.revision, config)
    order = order_of_classes(config.model, first.model.classes, config.cascade.model, second.model.classes)
    threshold = config.cascade.threshold
    if threshold is None:
        threshold = read_cascade(first.model, second.model, temperature=first.temperature).threshold
    return dataclasses.replace(second, order=tuple(order), threshold=threshold)


def planned(
    folder: WorkFolder, source: Source, config: PredictConfig, models: list[StageModel], runner: Runner, tick: Tick
) -> Plan:
    """The plan of an earlier run of the same request; else a new one, with the texts read anew.

    Args:
        folder: where the prediction is made.
        source: the inputs.
        config: what is predicted.
        models: those of all stages.
        runner: that will compute.
        tick: told of rows.

    Raises:
        InputError: a file cannot be read, or changes meanwhile.
    """
    request = _request(source, config, models, runner)
    held = folder.plan()
    if held is not None and held.request == request:
        _log.info("%s: going on with what an earlier run has done", folder.path)
        return held
    if held is not None:
        _log.info("%s is of a run with other inputs, models or choices; this one begins anew", folder.path)
    folder.clear()
    versions = [file_version(file) for file in source.files]
    with source.named():
        spooled = spool(source, config.columns, config.options, folder, on_bad_row=config.on_bad_row, tick=tick)
    for version in versions:
        version.check()
    for note in (*source.notes, *spooled.notes):
        _log.info("%s", source.with_names(note))
    plan = Plan(
        request=request,
        chunks=spooled.chunks,
        rejected=spooled.rejected,
        reasons=spooled.reasons,
        characters=spooled.characters,
    )
    folder.write_plan(plan)
    return plan


def _request(source: Source, config: PredictConfig, models: list[StageModel], runner: Runner) -> dict[str, Any]:
    """What decides the texts and the logits, as JSON gives it back. How logits are written may change."""
    return {
        "inputs": [dataclasses.asdict(file_version(file)) for file in source.files],
        "columns": config.columns.to_json(),
        "options": config.options.to_json(),
        "on_bad_row": config.on_bad_row,
        "weights": [one.weights for one in models],
        "encodings": [one.model.encoding(config.choices.max_length).fingerprint for one in models],
        "choices": dataclasses.asdict(config.choices),
        "device": device_kind(find_device(runner.devices[0])),
        "cascade": [[one.threshold, models[0].temperature] for one in models[1:]],
    }


def pilot_of(folder: WorkFolder, plan: Plan) -> tuple[str, ...]:
    """Texts to try dtypes on, drawn at random; none if there are too few rows for that to pay."""
    if sum(plan.chunks) < LEAST_ROWS:
        return ()
    chosen = np.sort(np.random.default_rng(0).choice(sum(plan.chunks), PILOT_ROWS, replace=False))
    ends = np.cumsum(plan.chunks)
    texts: list[str] = []
    for chunk in np.unique(np.searchsorted(ends, chosen, side="right")):
        first = int(ends[chunk]) - plan.chunks[chunk]
        rows = chosen[(chosen >= first) & (chosen < ends[chunk])] - first
        texts += pc.take(folder.texts(int(chunk))["text"], rows).drop_null().to_pylist()
    return tuple(texts)
