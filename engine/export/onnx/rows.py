"""Files of the user's own rows → texts, and labels if they have any: on which exported files are compared."""

import dataclasses
import logging
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.errors import InputError, MissingColumnError
from engine.inputs.blocks import in_detail
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.messages import SHOWN, merged
from engine.inputs.options import FOUND_OUT, ReadOptions

DEFAULT_LIMIT = 2000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RowsConfig:
    """Where rows are and how to read them.

    Attributes:
        files: paths and globs.
        columns: names that the user gave; without a column of labels the rows have none.
        options: how the files are read.
        on_bad_row: ``reject`` or ``fail``.
        limit: use this many rows at most, chosen at random.
    """

    files: tuple[str, ...] = ()
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    on_bad_row: str = "reject"
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, kw_only=True)
class CheckRows:
    """Rows to compare on.

    Attributes:
        texts: in random order.
        labels: (rows,) indices of the model's classes; None if they have none.
        rejected: how many rows were refused.
        reasons: of the first of them.
    """

    texts: list[str]
    labels: npt.NDArray[np.int64] | None
    rejected: int
    reasons: list[str]


def read_check_rows(config: RowsConfig, classes: list[str]) -> CheckRows | None:
    """The rows of ``config.files``; None if it names none.

    Raises:
        InputError: a file cannot be read, its labels are no classes of the model, or a row is bad and
            ``config.on_bad_row`` is ``fail``.
    """
    if not config.files:
        return None
    found = _unlabelled(config) if config.columns.label == NO_COLUMN else _labelled(config, classes)
    chosen = np.random.default_rng(0).permutation(len(found.texts))[: config.limit]
    return dataclasses.replace(
        found,
        texts=[found.texts[row] for row in chosen],
        labels=None if found.labels is None else found.labels[chosen],
    )


def _labelled(config: RowsConfig, classes: list[str]) -> CheckRows:
    """Rows with labels; without, if no label is named and there is no column of them."""
    gold = GoldConfig(
        files=config.files,
        columns=config.columns,
        options=config.options,
        classes=tuple(classes),
        on_bad_row=config.on_bad_row,
    )
    try:
        read = read_gold(gold)
    except MissingColumnError:
        if config.columns.label is not None:
            raise
        return _unlabelled(config)
    return CheckRows(texts=read.texts, labels=read.labels, rejected=read.rejected, reasons=read.reasons)


def _unlabelled(config: RowsConfig) -> CheckRows:
    files, wanted = expand(config.files), dataclasses.replace(config.columns, label=NO_COLUMN)
    texts: list[str] = []
    reasons: list[str] = []
    notes: list[str] = []
    for file in files:
        for block in read_blocks(file, wanted, config.options):
            notes += [note for note in block.reading.notes if note not in notes]
            for row, (text, problem) in enumerate(zip(block.text.to_pylist(), block.problems, strict=True)):
                if problem is None:
                    texts.append(text)
                else:
                    reasons.append(f"{file} row {block.first_row + row:,}: {in_detail(problem)}")
            if reasons and config.on_bad_row == "fail":
                raise InputError(f"{reasons[0]}. Mend the row or pass --on-bad-row=reject")
    for note in merged(notes, files):
        _log.info("%s", note)
    if not texts:
        said = f": {reasons[0]}" if reasons else ""
        raise InputError(f"{', '.join(files[:3])}: there is no row to compare on{said}")
    return CheckRows(texts=texts, labels=None, rejected=len(reasons), reasons=reasons[:SHOWN])
