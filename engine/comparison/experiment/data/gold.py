"""The user's labelled files → gold rows to learn from, and gold rows to test on."""

import dataclasses
import logging

import numpy as np

from engine.comparison.experiment.choices import TEST_SHARE, CompareConfig
from engine.errors import InputError
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.inputs.paths.file_kinds import TEXT, kind_of_file

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoldSets:
    """Labelled rows by what they are for; all have the same classes.

    Attributes:
        labelled: to learn from.
        extra: further ones.
        test: to judge on.
    """

    labelled: Gold
    extra: Gold
    test: Gold

    @property
    def rejected(self) -> int:
        """Rows that were refused."""
        return self.labelled.rejected + self.extra.rejected + self.test.rejected

    @property
    def reasons(self) -> list[str]:
        """Of the first of them."""
        return [*self.labelled.reasons, *self.extra.reasons, *self.test.reasons]


def read_gold_sets(config: CompareConfig) -> GoldSets:
    """Read the labelled files, all with the classes of those to learn from.

    Raises:
        InputError: a file cannot be read, a set has no usable row, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    classes = config.classes
    if classes is None:
        classes = tuple(read_gold(_request(config, config.labelled, apart=config.extra)).classes)
    labelled_request = dataclasses.replace(_request(config, config.labelled), classes=classes)
    labelled = read_gold(dataclasses.replace(labelled_request, expects_all=config.classes is not None))
    config = dataclasses.replace(config, classes=classes)
    extra = read_gold(_request(config, config.extra)) if config.extra else some(labelled, np.arange(0))
    if config.test:
        return GoldSets(labelled=labelled, extra=extra, test=read_gold(_request(config, config.test)))
    return _held_out(labelled, extra)


def _request(config: CompareConfig, files: tuple[str, ...], *, apart: tuple[str, ...] = ()) -> GoldConfig:
    is_text = any(kind_of_file(file) == TEXT for file in (*files, *apart))
    return GoldConfig(
        files=files,
        apart=apart,
        columns=config.columns,
        options=dataclasses.replace(config.options, whole_files=config.options.whole_files and is_text),
        classes=config.classes,
        on_bad_row=config.on_bad_row,
    )


def _held_out(labelled: Gold, extra: Gold) -> GoldSets:
    """One labelled row in `TEST_SHARE` for the test, drawn at random and always the same."""
    rows = len(labelled.texts)
    if rows < 2 * TEST_SHARE:
        raise InputError(
            f"{rows} labelled rows are too few to hold some of them out for the test; name test rows with --test"
        )
    drawn = np.random.default_rng(0).permutation(rows)
    test, kept = np.sort(drawn[: rows // TEST_SHARE]), np.sort(drawn[rows // TEST_SHARE :])
    _log.info(
        "%s of the %s labelled rows are held out for the test; --test names others", f"{len(test):,}", f"{rows:,}"
    )
    test_rows = dataclasses.replace(some(labelled, test), rejected=0, reasons=[])
    return GoldSets(labelled=some(labelled, kept), extra=extra, test=test_rows)


def some(gold: Gold, rows: np.typing.NDArray[np.int64]) -> Gold:
    """The ``rows`` of ``gold``, in their order; what was refused stays counted if any row is left."""
    is_any = len(rows) > 0
    return dataclasses.replace(
        gold,
        texts=[gold.texts[row] for row in rows],
        labels=gold.labels[rows],
        ids=[gold.ids[row] for row in rows],
        rejected=gold.rejected if is_any else 0,
        reasons=gold.reasons if is_any else [],
    )
