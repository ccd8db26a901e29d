"""Trained models and texts → how fast each answers, measured in turns so that all have the same conditions."""

import time
from collections.abc import Mapping, Sequence

from engine.comparison.results import Speed
from engine.prediction.loaded import LoadedModel
from engine.progress import Tick, silent

ROUNDS = 5
ROWS, ALONE = 400, 20
"""Texts of a round that are given together, and one after the other."""


def measure_speeds(models: Mapping[str, str], texts: Sequence[str], *, tick: Tick = silent) -> dict[str, Speed]:
    """Rows a second, and milliseconds for one text alone, of each of some models in `ROUNDS` rounds.

    Args:
        models: folders, by arm.
        texts: the first of them are used.
        tick: told of progress.
    """
    loaded = {arm: LoadedModel(folder) for arm, folder in models.items()}
    together, alone = list(texts[:ROWS]), list(texts[:ALONE])
    for model in loaded.values():  # what is done once is done before
        model.predict(together[:32])
    rounds: dict[str, list[float]] = {arm: [] for arm in loaded}
    latencies: dict[str, list[float]] = {arm: [] for arm in loaded}
    for number in range(ROUNDS):
        for arm, model in loaded.items():
            started = time.perf_counter()
            model.predict(together)
            between = time.perf_counter()
            for text in alone:
                model.predict([text])
            ended = time.perf_counter()
            rounds[arm].append(round(len(together) / (between - started), 2))
            latencies[arm].append(round((ended - between) / len(alone) * 1e3, 4))
        tick("measuring how fast the models are", number + 1, ROUNDS)
    return {arm: Speed(rounds=tuple(rounds[arm]), latencies=tuple(latencies[arm])) for arm in loaded}


def read_speeds(held: dict[str, dict[str, list[float]]]) -> dict[str, Speed]:
    """Speeds by arm, from JSON."""
    return {arm: Speed(**{name: tuple(values) for name, values in one.items()}) for arm, one in held.items()}
