"""How a student is compared with its teachers: the user's choice. No torch, before it computes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training.loss import Targets

KL, MSE = "kl", "mse"


@dataclass(frozen=True, kw_only=True)
class SoftLoss:
    """The loss of a student against its teachers; a `engine.training.loss.Loss`.

    Attributes:
        kind: ``kl`` or ``mse``.
        temperature: of ``kl``.
        gold_weight: share of the cross-entropy with the gold label, in the loss of a row that has one.
    """

    kind: str = KL
    temperature: float = 1.0
    gold_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in (KL, MSE):
            raise TrainingError(f"--loss is {self.kind!r}; it is {KL} or {MSE}")
        if not 0 < self.temperature < float("inf"):
            raise TrainingError(f"--temperature is {self.temperature:g}; it must be more than 0")
        if self.kind == MSE and self.temperature != 1:
            raise TrainingError(f"--temperature is {self.temperature:g}, and --loss {MSE} has none; use --loss {KL}")
        if not 0 <= self.gold_weight <= 1:
            raise TrainingError(f"--gold-weight is {self.gold_weight:g}; it must be from 0 to 1")

    def __call__(self, logits: "Tensor", targets: "Targets") -> "Tensor":
        """See `engine.training.loss.soft_loss`."""
        from engine.training.loss import soft_loss

        return soft_loss(self, logits, targets)

    def words(self) -> str:
        """The loss in words, for a model card."""
        words = (
            "mean squared error of centred logits" if self.kind == MSE else f"KL at temperature {self.temperature:g}"
        )
        return words + (f", gold labels weighing {self.gold_weight:g}" if self.gold_weight else "")
