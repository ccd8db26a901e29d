"""What is predicted with what, as the user says it."""

from dataclasses import dataclass, field

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.labelling.planning.choices import Choices


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """A second model, for the rows of which the first is not sure.

    Attributes:
        model: hub id or path; it has the classes of the first.
        threshold: rows with less confidence are its rows; that which the first model's folder has if None.
        revision: of the hub id.
    """

    model: str
    threshold: float | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise InputError(f"--threshold is {self.threshold}; a confidence is above 0, and at most 1")


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """What is predicted with what.

    Attributes:
        model: hub id or path of a fine-tuned classifier.
        inputs: files, folders and globs; or ``-`` alone, the standard input.
        out: the file that is made, or its URL; None for lines on a stream.
        format: ``parquet``, ``csv`` or ``jsonl``; by the name of ``out`` if None, and ``jsonl`` on a stream.
        input_format: of the standard input, as `engine.prediction.stdin.FORMATS` has it; found out if None.
        revision: of the hub id.
        columns: names of the columns of the inputs, as far as the user gave them; labels are not read.
        options: how the inputs are read.
        choices: how the model computes, as far as the user says.
        devices: as of `engine.labelling.planning.config.LabelConfig`.
        probabilities: whether the probability of each class is written.
        calibrated: whether the model's temperature is used.
        cascade: a second model for some rows.
        on_bad_row: ``reject`` or ``fail``.
    """

    model: str
    inputs: tuple[str, ...]
    out: str | None = None
    format: str | None = None
    input_format: str | None = None
    revision: str | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    choices: Choices = field(default_factory=Choices)
    devices: tuple[str, ...] = ("auto",)
    probabilities: bool = False
    calibrated: bool = False
    cascade: Cascade | None = None
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        check_on_bad_row(self.on_bad_row)
