"""Logits and gold labels → the temperature that makes probabilities honest (Guo et al. 2017). Pure numpy.

`fit_temperature` fits one number, `standard_error` says how sure it is, and `check_fits` refuses rows that have no best
temperature. `fold_temperatures` gives each row one that was fitted without it, to judge the method by.
"""

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.evaluation.metrics import Labels, brier_score, expected_calibration_error, log_loss

COLDEST, HOTTEST = 1e-2, 1e2
FOLDS = 5
_HALVINGS = 60

Logits = npt.NDArray[np.float64]
"""(rows, classes)"""
Probabilities = npt.NDArray[np.float64]
"""(rows, classes)"""


def fit_temperature(logits: Logits, gold: Labels) -> float:
    """The T from `COLDEST` to `HOTTEST` with the least log-loss of softmax(logits / T).

    The loss is convex in 1 / T, so that the zero of `slope` is found by halving an interval of log(1 / T).
    """
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(logits, gold, float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def slope(logits: Logits, gold: Labels, inverse: float) -> float:
    """The derivative of the mean log-loss by 1 / T at ``inverse``: mean expected logit minus mean logit of ``gold``."""
    expected = (probabilities(logits, 1 / inverse) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(gold)), gold]).mean())


def check_fits(logits: Logits, gold: Labels, *, where: str, way: str, look: str) -> None:
    """Refuse rows whose best temperature is outside of `COLDEST` to `HOTTEST`.

    Args:
        logits: (rows, classes).
        gold: (rows,) classes.
        where: names the model; errors begin with it.
        way: to add gold rows.
        look: shows which classes are predicted for which.

    Raises:
        InputError: nearly all predictions are right, or the logits are worse than none.
    """
    if slope(logits, gold, 1 / COLDEST) < 0:
        raise InputError(
            f"{where}: {int((logits.argmax(axis=1) == gold).sum()):,} of {len(gold):,} gold rows are predicted right, "
            "so that the colder the better, no temperature is best, and none is kept. Rows that it was trained on do "
            f"not count; a temperature needs others, some of them predicted wrong: {way}. Until then go on without "
            "--calibrated"
        )
    if slope(logits, gold, 1 / HOTTEST) > 0:
        raise InputError(
            f"{where}: the logits of {len(gold):,} gold rows say less than nothing about their labels, so that no "
            f"temperature is best; look at {look}: are classes of the gold taken for others?"
        )


def standard_error(logits: Logits, temperature: float) -> float:
    """Of a fitted T, by its Fisher information: T² / √(rows · mean variance of a row's logits)."""
    p = probabilities(logits, temperature)
    variance = (p * logits**2).sum(axis=1) - (p * logits).sum(axis=1) ** 2
    return float(temperature**2 / np.sqrt(max(variance.sum(), np.finfo(np.float64).tiny)))


def fold_temperatures(logits: Logits, gold: Labels, *, folds: int = FOLDS) -> npt.NDArray[np.float64]:
    """(rows,) for each row the temperature that was fitted on the other folds than its own."""
    fold_of = np.random.default_rng(0).permutation(len(gold)) % folds
    fitted = [fit_temperature(logits[fold_of != fold], gold[fold_of != fold]) for fold in range(folds)]
    return np.array(fitted)[fold_of]


def probabilities(logits: Logits, temperature: float | npt.NDArray[np.float64]) -> Probabilities:
    """Softmax of the logits over one temperature, or over (rows, 1) of them."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    raised = np.exp(scaled)
    softmax: Probabilities = raised / raised.sum(axis=1, keepdims=True)
    return softmax


def calibration_figures(gold: Labels, p: Probabilities) -> dict[str, float]:
    """Expected calibration error, Brier score and log-loss (nats) of probabilities."""
    return {
        "expected_calibration_error": expected_calibration_error(gold, p),
        "brier_score": brier_score(gold, p),
        "log_loss": log_loss(gold, p),
    }
