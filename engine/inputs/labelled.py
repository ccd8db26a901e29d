"""Files of labelled text → texts and class indices in memory, for fine-tuning and evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.classes import check_class_names, classes_of, indexer
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class GoldConfig:
    """Where labelled text is and how to read it.

    Attributes:
        files: paths and globs.
        columns: names that the user gave.
        classes: class names, in order; found in the labels where None.
        on_bad_row: ``reject`` or ``fail``.
        limit: use this many rows, chosen at random by ``seed``; all where None.
        seed: of the choice.
    """

    files: tuple[str, ...]
    columns: ColumnNames = field(default_factory=ColumnNames)
    classes: tuple[str, ...] | None = None
    on_bad_row: str = "reject"
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"the limit is {self.limit} rows; it must be at least 1")
        if self.on_bad_row not in ("reject", "fail"):
            raise InputError(f"--on-bad-row is {self.on_bad_row!r}; it must be reject or fail")


@dataclass(frozen=True, kw_only=True)
class Gold:
    """Labelled texts.

    Attributes:
        texts: the texts.
        labels: (rows,) int64, indices into ``classes``.
        classes: class names.
        rejected: how many rows were refused.
        reasons: the first of them, each as ``file row N: reason``.
    """

    texts: list[str]
    labels: npt.NDArray[np.int64]
    classes: list[str]
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)


def read_gold(config: GoldConfig, *, known: Sequence[str] | None = None) -> Gold:
    """Read labelled rows.

    Args:
        config: which.
        known: class names of the model that is to be trained on or judged by them, where it has any.

    Raises:
        InputError: nothing usable is there, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    rows, reasons = _usable_rows(config)
    if reasons and config.on_bad_row == "fail":
        raise InputError(f"{reasons[0]}. Mend the row or pass --on-bad-row=reject")
    if not rows:
        why = f"the first was refused: {reasons[0]}" if reasons else "there is none at all"
        raise InputError(f"{', '.join(config.files)}: no usable row; {why}")
    classes = list(config.classes) if config.classes is not None else classes_of({label for _, label in rows}, known)
    check_class_names(classes)
    index_of = indexer(classes)
    gold = Gold(
        texts=[text for text, _ in rows],
        labels=np.array([index_of(label) for _, label in rows], np.int64),
        classes=classes,
        rejected=len(reasons),
        reasons=reasons[:_SHOWN],
    )
    return gold if config.limit is None else _sample(gold, config.limit, config.seed)


def _usable_rows(config: GoldConfig) -> tuple[list[tuple[str, str]], list[str]]:
    """(text, label) of each row without a problem, and the others' reasons with their places."""
    rows: list[tuple[str, str]] = []
    reasons: list[str] = []
    seen: set[str] = set()
    index_of = indexer(config.classes) if config.classes is not None else None
    for file in expand(config.files):
        for block in read_blocks(file, config.columns):
            if block.columns.label is None:
                raise InputError(f"{file}: there is no label column; name it with --label")
            values = zip(block.text.to_pylist(), block.label.to_pylist(), block.id.to_pylist(), strict=True)
            for offset, (text, label, id_) in enumerate(values):
                problem = block.problems[offset] or _problem(label, id_, seen)
                if problem is None and index_of is not None and index_of(label) is None:
                    problem = f"unknown label {label[:200]!r} (classes: {', '.join(config.classes or ())})"
                if problem is not None:
                    reasons.append(f"{file} row {block.first_row + offset:,}: {problem}")
                    continue
                seen.add(id_)
                rows.append((text, label))
    return rows, reasons


def _problem(label: str | None, id_: str, seen: set[str]) -> str | None:
    if label is None:
        return "label is null"
    return f"id {id_!r} is that of an earlier row" if id_ in seen else None


def _sample(gold: Gold, limit: int, seed: int) -> Gold:
    if limit >= len(gold.texts):
        return gold
    chosen = np.sort(np.random.default_rng(seed).permutation(len(gold.texts))[:limit])
    return Gold(
        texts=[gold.texts[row] for row in chosen],
        labels=gold.labels[chosen],
        classes=gold.classes,
        rejected=gold.rejected,
        reasons=gold.reasons,
    )
