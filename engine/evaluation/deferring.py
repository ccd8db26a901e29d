"""Two models and labelled rows → what they give together, and the threshold of a target, kept beside the first."""

import logging
from typing import Any

from engine.evaluation.cascade import Judged, as_rows, choose_threshold, curve, halves, measure, why_pointless
from engine.models.classifier import Classifier
from engine.prediction.cascade_card import CascadeCard, save_cascade

_log = logging.getLogger(__name__)


def judge_cascade(
    first: Classifier, second: Classifier, judged: Judged, *, target: float | None, temperature: float
) -> dict[str, Any]:
    """Accuracy by the share of rows that go to the second model; with a target also its threshold, kept.

    Args:
        first: the model that is asked of every row; its folder gets the threshold.
        second: the model that is asked where the first is not sure.
        judged: what both say of the labelled rows.
        target: accuracy that a threshold is chosen for; None for none.
        temperature: that the first one's logits were divided by.

    Returns:
        ``curve``, a list of what thresholds give; ``chosen``, a `CascadeCard` as a dict, or None.

    Raises:
        InputError: rows are too few, or no threshold reaches the target.
        ModelError: the first one's folder cannot be written.
    """
    found: dict[str, Any] = {"second": second.source, "curve": as_rows(curve(judged)), "chosen": None}
    if target is None:
        return found
    chosen_on, measured_on = (judged.some(rows) for rows in halves(len(judged.first)))
    result = measure(measured_on, choose_threshold(chosen_on, target))
    card = CascadeCard(
        threshold=result.threshold,
        target=target,
        temperature=temperature,
        accuracy=round(result.accuracy, 5),
        low=round(result.low, 5),
        high=round(result.high, 5),
        deferred=round(result.deferred, 5),
        rows=len(measured_on.first),
        alone=round(float(measured_on.first.mean()), 5),
        second_alone=round(float(measured_on.second.mean()), 5),
        second=second.source,
        weights_sha256=first.weights_sha256(),
        second_sha256=second.weights_sha256(),
    )
    named = {"first": first.source, "second": second.source}
    if said := why_pointless(judged, result.threshold, target=target, **named):
        _log.warning("%s. No threshold is kept", said)
    else:
        _log.info("wrote %s", save_cascade(first, card))
    return {**found, "chosen": {name: value for name, value in vars(card).items() if "sha256" not in name}}
