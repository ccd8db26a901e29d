"""What every training is asked to do, as the user says it. No torch."""

from dataclasses import dataclass, field

from engine.errors import TrainingError
from engine.training.output.metrics_log import NONE, TENSORBOARD
from engine.training.state import LOWER_IS_BETTER

DTYPES = ("fp32", "bf16")
LOST_SECONDS = 45.0


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Hyperparameters. The defaults are the recipe of Mosbach et al. (2020) for few labels, except the epochs.

    Attributes:
        epochs: passes over the rows.
        batch_size: rows a step, of all ranks together.
        learning_rate: its peak; it rises linearly over the first steps and then falls to zero.
        warmup: share of the steps over which it rises.
        weight_decay: of AdamW; not on biases and norms.
        clip: largest norm of the gradient.
        seed: of the order and of dropout.
        tokens_per_batch: tokens of a micro-batch, with padding if rows are padded; by device if None.
        dtype: of the products, ``fp32`` or ``bf16``, as in `engine.training.dtype_choice`, which chooses it if None.
    """

    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    tokens_per_batch: int | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in (None, *DTYPES):
            raise TrainingError(f"--dtype is {self.dtype!r}; it is one of {', '.join(DTYPES)}")
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < float("inf"):
            raise TrainingError(
                f"epochs {self.epochs}, batch size {self.batch_size} and learning rate {self.learning_rate} "
                "must all be positive"
            )


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """Validation while the model is trained, to keep the best state of all; none without inputs.

    Attributes:
        inputs: labelled files. Not those of the final evaluation: a choice made on rows flatters them.
        every: steps between validations; one at the end of each epoch if None.
        by: the figure that decides: ``accuracy``, ``macro_f1`` or ``log_loss``.
        patience: stop after so many validations in a row that are not better; never if None.
    """

    inputs: tuple[str, ...] = ()
    every: int | None = None
    by: str = "accuracy"
    patience: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("--validate-every", self.every), ("--patience", self.patience)):
            if value is not None and value < 1:
                raise TrainingError(f"{name} is {value}; it must be at least 1")
        if self.by not in LOWER_IS_BETTER:
            raise TrainingError(f"--best-by is {self.by!r}; it is one of {', '.join(LOWER_IS_BETTER)}")


@dataclass(frozen=True, kw_only=True)
class SavingConfig:
    """When checkpoints are written, and where metrics go.

    Attributes:
        every_steps: steps between checkpoints; by time if None.
        every_seconds: seconds between checkpoints, if they are not by steps.
        keep: how many of the last ones stay.
        report_to: ``none`` or ``tensorboard``, beside ``metrics.jsonl``.
    """

    every_steps: int | None = None
    every_seconds: float = 600.0
    keep: int = 2
    report_to: str = NONE

    def __post_init__(self) -> None:
        if self.report_to not in (NONE, TENSORBOARD):
            raise TrainingError(f"--report-to is {self.report_to!r}; it is {NONE} or {TENSORBOARD}")
        if self.keep < 1:
            raise TrainingError(f"--keep is {self.keep}; at least the last checkpoint must stay")
        if (self.every_steps is not None and self.every_steps < 1) or self.every_seconds <= 0:
            raise TrainingError("--checkpoint-every must be at least one step, or more than no time")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The settings that every training has.

    Attributes:
        out: folder of the result: new, empty, or that of an earlier run, which is resumed.
        loop: hyperparameters.
        saving: checkpoints and metrics.
        validation: on labelled rows, while the model is trained.
        evaluation: labelled files for the final evaluation.
        lost_seconds: after so long without an answer a rank is lost.
    """

    out: str
    loop: LoopConfig
    saving: SavingConfig = field(default_factory=SavingConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    evaluation: tuple[str, ...] = ()
    lost_seconds: float = LOST_SECONDS
