"""A store's logits and its gold labels → the temperature that makes probabilities honest (Guo et al. 2017).

Only the division by one number is fitted, so predictions stay as they are. What it brings is judged by folds: each row
by a temperature that was fitted without it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.evaluation.temperature import (
    COLDEST,
    HOTTEST,
    Labels,
    Logits,
    figures,
    fit_temperature,
    fold_temperatures,
    probabilities,
    slope,
    standard_error,
)
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from store import Store
from store.families.corpus import text_hash
from store.gold.calibration import Calibration, add_calibration, sources_now
from store.storage import Storage
from store.store import open_store

LEAST_ROWS = 50
_QUERY = """
SELECT gold::BIGINT AS gold, gold_round, logits, text_hash
FROM reviews
WHERE gold IS NOT NULL AND logits IS NOT NULL
ORDER BY row
"""


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig:
    """What to calibrate.

    Attributes:
        store: its location, or a `Storage`.
        labels: the label set; the only one where None.
        rounds: of gold that count; all where None.
        trained_on: files that the teacher was trained on: rows with their texts do not count.
        text: the column of texts in these; found where None.
    """

    store: str | Storage
    labels: str | None = None
    rounds: tuple[int, ...] | None = None
    trained_on: tuple[str, ...] = ()
    text: str | None = None


def calibrate(config: CalibrateConfig) -> Calibration:
    """Fit the temperature of a label set, and keep it beside its shards.

    Raises:
        InputError: there are too few gold rows, or none that a temperature can be fitted to.
        StoreError: the label set is missing or not finished.
    """
    store = open_store(config.store)
    label_set = store.one_label_set(config.labels)
    sources = sources_now(store, label_set)
    logits, gold, rounds, left_out = _gold_rows(store, config, label_set)
    _check(gold, logits, where=f"{store.location}, label set {label_set!r}")
    temperature = fit_temperature(logits, gold)
    error = standard_error(logits, temperature)
    if error >= temperature:
        raise InputError(
            f"{store.location}, label set {label_set!r}: the temperature would be {temperature:.3g}, give or take "
            f"{error:.3g}: logits hardly differ, or gold rows are too few; add some with `engine audit STORE --gold`"
        )
    return add_calibration(
        store,
        Calibration(
            label_set=label_set,
            number=1,
            temperature=temperature,
            standard_error=error,
            rows=len(gold),
            rounds=rounds,
            left_out=left_out,
            sources=sources,
            before=figures(gold, probabilities(logits, 1.0)),
            after=figures(gold, probabilities(logits, fold_temperatures(logits, gold)[:, None])),
        ),
    )


def _gold_rows(store: Store, config: CalibrateConfig, label_set: str) -> tuple[Logits, Labels, list[int], int]:
    """Logits and labels of the rows that count, the rounds that they are from, and how many were left out."""
    table = store.sql(_QUERY, labels=label_set, rounds=config.rounds)
    known = {text_hash(text) for text in _texts(config.trained_on, config.text)}
    counts = np.array([hash_ not in known for hash_ in table.column("text_hash").to_pylist()], np.bool_)
    flat = table.column("logits").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    logits = flat.astype(np.float64).reshape(len(counts), len(store.header.classes))
    rounds = np.unique(table.column("gold_round").to_numpy()[counts]).tolist()
    return logits[counts], table.column("gold").to_numpy()[counts], rounds, int((~counts).sum())


def _texts(files: tuple[str, ...], column: str | None) -> Iterator[str]:
    """All texts of some files, whatever is wrong with their labels and ids."""
    for file in expand(files) if files else ():
        for block in read_blocks(file, ColumnNames(text=column)):
            yield from (text for text in block.text.to_pylist() if text is not None)


def _check(gold: Labels, logits: Logits, *, where: str) -> None:
    """Refuse rows to which no temperature can be fitted.

    Raises:
        InputError: these are such rows.
    """
    if len(gold) < LEAST_ROWS:
        raise InputError(
            f"{where}: {len(gold)} gold rows count, and a temperature needs {LEAST_ROWS}; add some with "
            "`engine audit STORE --gold`"
        )
    if slope(logits, gold, 1 / COLDEST) < 0:
        raise InputError(
            f"{where}: of {len(gold):,} gold rows hardly one is predicted wrong, so that the colder the better and no "
            "temperature is best; add gold rows"
        )
    if slope(logits, gold, 1 / HOTTEST) > 0:
        raise InputError(
            f"{where}: the logits of {len(gold):,} gold rows say less than nothing about their labels, so that no "
            "temperature is best; look at `engine audit STORE confusion`"
        )
