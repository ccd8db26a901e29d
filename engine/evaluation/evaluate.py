"""A classifier and labelled files → its quality, speed and size.

torch is imported when models and files have been looked at: a mistake in what was named is said before.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.evaluation.calibrate_model import look_at_calibration
from engine.evaluation.cascade import halves
from engine.evaluation.learned_gold import rows_not_learned
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.labelling.planning.first_look import look_at_inputs
from engine.models.files import refuse_read_only
from engine.models.heads import order_of_classes
from engine.models.loading.first_look import find_model, look_for_model
from engine.models.notes.columns_read import as_read_for
from engine.models.notes.gold_texts import read_gold_texts
from engine.notebook import html_pairs, html_table
from engine.prediction.cascade_card import CASCADE
from engine.progress import Tick, silent


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """The model and the rows of an evaluation.

    Attributes:
        model: hub id or path.
        inputs: labelled files.
        revision: of the hub id.
        columns: names of their columns, as far as the user gave them.
        options: how the files are read.
        max_length: tokens a row; those of the model's own training, or 512, or as many as it takes, if None.
        tokens_per_batch: the token budget; by device if None.
        against: other models to compare with, on the same rows.
        on_bad_row: ``reject`` or ``fail``.
        calibrate: whether a temperature is fitted on these rows and kept in the model's folder.
        defer_to: a second model, for the rows of which this one is not sure.
        target: accuracy of both together; a threshold for it is chosen, and kept in this one's folder.
    """

    model: str
    inputs: tuple[str, ...]
    revision: str | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    max_length: int | None = None
    tokens_per_batch: int | None = None
    against: tuple[str, ...] = ()
    on_bad_row: str = "reject"
    calibrate: bool = False
    defer_to: str | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if self.target is not None and self.defer_to is None:
            raise InputError("--target is the accuracy of two models; name the second with --defer-to")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a classifier is on labelled rows.

    Attributes:
        model: hub id or path.
        rows: number of rows.
        accuracy: share of right predictions.
        macro_f1: mean F1 over classes.
        log_loss: mean, in nats.
        ece: expected calibration error, 15 bins.
        f1: by class name.
        confusion: gold class → predicted class → rows.
        rows_per_second: tokenising and computing, on this machine.
        parameters: number of parameters.
        megabytes: size of the weights, in 10⁶ bytes.
        rejected: number of labelled rows that were refused.
        reasons: of the first of these.
        against: by model name: the paired comparison, and that model's accuracy.
        temperature: that was fitted on these rows; None if none was.
        calibrated_ece: the calibration error with temperatures that were fitted on other rows than those they judge.
        cascade: what both models give together, as `engine.evaluation.deferring.judge_cascade`; empty without a second.
    """

    model: str
    rows: int
    accuracy: float
    macro_f1: float
    log_loss: float
    ece: float
    f1: dict[str, float]
    confusion: dict[str, dict[str, int]]
    rows_per_second: float
    parameters: int
    megabytes: float
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    against: dict[str, Any] = field(default_factory=dict)
    temperature: float | None = None
    calibrated_ece: float | None = None
    cascade: dict[str, Any] = field(default_factory=dict)

    def headline(self) -> dict[str, Any]:
        """The figures that fit in one row of a table."""
        names = ("rows", "accuracy", "macro_f1", "log_loss", "ece", "rows_per_second", "parameters", "megabytes")
        return {name: getattr(self, name) for name in names}

    def _repr_html_(self) -> str:
        head = ["gold ↓ predicted →", *self.f1, "F1"]
        cells = [[name, *self.confusion[name].values(), score] for name, score in self.f1.items()]
        return html_pairs(self.model, self.headline()) + html_table("Confusion", head, cells)


def evaluate(config: EvalConfig, *, tick: Tick = silent) -> Evaluation:
    """Evaluate ``config.model``, and compare it with ``config.against`` on the same rows.

    Raises:
        EngineError: a model or a file cannot be used, models have different classes, or no temperature fits.
    """
    columns = as_read_for(config.columns, config.model)
    if columns.before is not None:  # an id that comes twice is no fault of labelled rows
        columns = replace(columns, before=replace(columns.before, id=()))
    config = replace(config, columns=columns)
    found, gold = find_model(config.model, config.revision), None
    classes = found.classes
    for name in (*config.against, *(() if config.defer_to is None else (config.defer_to,))):
        if (theirs := look_for_model(name)) is not None and classes is not None:
            order_of_classes(config.model, classes, name, theirs)
    if classes is None:
        look_at_inputs(expand(config.inputs), config.columns, config.options)
    else:
        gold = read_evaluation_rows(config, classes)
    learned = read_gold_texts(found.folder)
    _look_at(config, found.folder, None if gold is None else len(rows_not_learned([learned], gold.texts)))
    from engine.evaluation.judge import judge

    return judge(config, gold, tick=tick)


def _look_at(config: EvalConfig, folder: Path, rows: int | None) -> None:
    """Refuse to keep in the ``folder`` of the model what cannot be kept, or what so few labelled ``rows`` do not give.

    Raises:
        ModelError, InputError: as `engine.evaluation.judge.judge`.
    """
    if config.calibrate:
        look_at_calibration(config.model, folder, rows)
    if config.target is not None:
        refuse_read_only(folder, CASCADE)
        if rows is not None:
            halves(rows)


def read_evaluation_rows(config: EvalConfig, classes: list[str]) -> Gold:
    """The rows of ``config.inputs``; labels are names of ``classes`` or indices into them.

    Raises:
        InputError: a file cannot be read, or has a bad row and ``config.on_bad_row`` is ``fail``.
    """
    return read_gold(
        GoldConfig(
            files=config.inputs,
            columns=config.columns,
            options=config.options,
            classes=tuple(classes),
            on_bad_row=config.on_bad_row,
        )
    )
