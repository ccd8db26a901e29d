"""What a pretraining on texts without labels is asked to do. No torch."""

from dataclasses import dataclass
from typing import Any

from engine.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class MlmConfig:
    """Masked language modelling (Devlin et al. 2019) on texts like those to classify (Gururangan et al. 2020).

    Everything else, such as the seed, the tokens a row and the dtype, is that of the fine-tuning behind it.

    Attributes:
        inputs: files, globs, folders or URLs of texts, or one store; labels are not read.
        text: their column of texts; that of the labelled rows, or one that is found, if None.
        epochs: passes over the texts, with other tokens masked in each.
        batch_size: texts a step, of all ranks together.
        learning_rate: its peak.
    """

    inputs: tuple[str, ...]
    text: str | None = None
    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 1e-4

    def loop(self) -> dict[str, Any]:
        """The hyperparameters by their names in `engine.training.tasks.config.LoopConfig`."""
        return {name: getattr(self, name) for name in ("epochs", "batch_size", "learning_rate")}

    def __post_init__(self) -> None:
        if not self.inputs or isinstance(self.inputs, str):
            raise TrainingError(f"the inputs of --mlm are {self.inputs!r}; they are a tuple of at least one place")
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < float("inf"):
            raise TrainingError(
                f"of --mlm the epochs ({self.epochs}), the batch size ({self.batch_size}) and the learning rate "
                f"({self.learning_rate}) must all be positive"
            )
