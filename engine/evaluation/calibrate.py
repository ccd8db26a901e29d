"""A store's logits and gold labels → the temperature of a label set, kept beside its shards.

Only the division by one number is fitted, so that predictions stay the same. Its gain is measured by folds: each row
with a temperature that was fitted without it. The mathematics is in `engine.evaluation.temperature`.
"""

import logging
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.evaluation.learned_gold import learned_texts
from engine.evaluation.metrics import Labels
from engine.evaluation.temperature import (
    Logits,
    calibration_figures,
    check_fits,
    fit_temperature,
    fold_temperatures,
    probabilities,
    standard_error,
)
from engine.ingest.columns_before import columns_before
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.options import FOUND_OUT, ReadOptions
from store import Store
from store.families.text_hash import text_hash
from store.gold.calibration import Calibration, add_calibration, sources_now
from store.gold.held import way_to_gold
from store.storage import Storage
from store.store import open_store

LEAST_ROWS = 50
_log = logging.getLogger(__name__)
_QUERY = """
SELECT gold::BIGINT AS gold, gold_round, logits, text_hash
FROM reviews
WHERE gold IS NOT NULL AND logits IS NOT NULL
ORDER BY row
"""


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig:
    """The label set to calibrate, and the gold to do it with.

    Attributes:
        store: its location, or a `Storage`.
        labels: the label set; the only one if None.
        rounds: of gold to use, 0 being the corpus's own; all if None.
        trained_on: files that the teacher was trained on: rows with their texts are left out.
        text: the column of texts in these; found by name if None.
        options: how these are read.
    """

    store: str | Storage
    labels: str | None = None
    rounds: tuple[int, ...] | None = None
    trained_on: tuple[str, ...] = ()
    text: str | None = None
    options: ReadOptions = FOUND_OUT


def calibrate(config: CalibrateConfig) -> Calibration:
    """Fit the temperature of a label set, and keep it beside its shards.

    Raises:
        InputError: the gold rows are too few, or no temperature fits them.
        StoreError: the label set is missing or incomplete.
    """
    store = open_store(config.store)
    label_set = store.one_label_set(config.labels)
    sources = sources_now(store, label_set)
    rows = _read_gold(store, config, label_set)
    where, place = f"{store.location}, label set {label_set!r}", shlex.quote(store.location)
    if rows.left_out:
        where += f", without {rows.left_out:,} rows that its teacher was trained on"
    temperature, error = fitted_temperature(
        rows.logits,
        rows.gold,
        where=where,
        way=way_to_gold(store.location),
        look=f"`engine audit {place} confusion --labels {label_set}`",
    )
    fitted_without = fold_temperatures(rows.logits, rows.gold)[:, None]
    return add_calibration(
        store,
        Calibration(
            label_set=label_set,
            number=1,
            temperature=temperature,
            standard_error=error,
            rows=len(rows.gold),
            rounds=rows.rounds,
            left_out=rows.left_out,
            sources=sources,
            before=calibration_figures(rows.gold, probabilities(rows.logits, 1.0)),
            after=calibration_figures(rows.gold, probabilities(rows.logits, fitted_without)),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _GoldRows:
    """The rows to calibrate with.

    Attributes:
        logits: (rows, classes) float64.
        gold: (rows,) int64 classes.
        rounds: of the gold, ascending.
        left_out: number of rows that the teacher was trained on.
    """

    logits: Logits
    gold: Labels
    rounds: list[int]
    left_out: int


def _read_gold(store: Store, config: CalibrateConfig, label_set: str) -> _GoldRows:
    """All rows with gold and logits whose texts the teacher was not trained on."""
    table = store.sql(_QUERY, labels=label_set, rounds=config.rounds)
    columns = ColumnNames(text=config.text, id=NO_COLUMN, label=NO_COLUMN, before=columns_before(store))
    named = [text_hash(text) for text in _texts(config.trained_on, columns, config.options)]
    trained_on = np.array(named, np.uint64)
    if (learned := learned_texts(store, label_set)) is not None:
        trained_on = np.concatenate([trained_on, learned])
    unseen = ~np.isin(table.column("text_hash").to_numpy(), trained_on)
    flat = table.column("logits").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    logits = flat.astype(np.float64).reshape(len(unseen), len(store.header.classes))
    return _GoldRows(
        logits=logits[unseen],
        gold=table.column("gold").to_numpy()[unseen],
        rounds=np.unique(table.column("gold_round").to_numpy()[unseen]).tolist(),
        left_out=int((~unseen).sum()),
    )


def _texts(files: tuple[str, ...], columns: ColumnNames, options: ReadOptions) -> Iterator[str]:
    """All texts of some files, those of rows with a bad label or id too."""
    for file in expand(files) if files else ():
        for block in read_blocks(file, columns, options):
            for note in block.reading.notes if block.first_row == 1 else ():
                _log.info("%s", note)
            yield from (text for text in block.text.to_pylist() if text is not None)


def fitted_temperature(logits: Logits, gold: Labels, *, where: str, way: str, look: str) -> tuple[float, float]:
    """The temperature and its standard error.

    Args:
        logits: (rows, classes).
        gold: (rows,) classes.
        where: names the model in messages.
        way: to add gold rows.
        look: shows which classes are predicted for which.

    Raises:
        InputError: the rows are fewer than `LEAST_ROWS`, or no temperature fits them.
    """
    check_enough(len(gold), where=where, way=way)
    check_fits(logits, gold, where=where, way=way, look=look)
    temperature = fit_temperature(logits, gold)
    error = standard_error(logits, temperature)
    if error >= temperature:
        raise InputError(
            f"{where}: the temperature would be {temperature:.3g}, give or take {error:.3g}: logits hardly differ, or "
            f"gold rows are too few; {way}"
        )
    return temperature, error


def check_enough(rows: int, *, where: str, way: str) -> None:
    """Refuse gold rows that are fewer than `LEAST_ROWS`.

    Raises:
        InputError: they are.
    """
    if rows < LEAST_ROWS:
        raise InputError(f"{where}: {rows} gold rows count, and a temperature needs {LEAST_ROWS}; {way}")
