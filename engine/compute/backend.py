"""A backend: one way to compute logits. Its name, the models it supports, the bounds of its logits. No torch.

A new one is a subclass of `Backend` in a file of its own, and a line in `engine.compute.backends.BACKENDS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from engine.progress import Tick, silent
from engine.tokens.batches import Plan, plan, plan_apart, waste
from engine.tokens.tokens import Tokens

if TYPE_CHECKING:
    import torch


class Bound(NamedTuple):
    """How far a logit may be off: ``absolute``, and ``relative`` times its size; in a few rows ``seldom`` times as far.

    Rounding moves some rows much further than others. Of 4,000 reviews half were off by 0.006 in bf16, one in a hundred
    by 0.06 and one by 0.2 (MiniLM-L6): of millions of rows that are labelled, some are beyond any bound that says much
    of the others. A mistake in the computation moves most rows.
    """

    absolute: float
    relative: float
    seldom: float = 1.0

    def exceeded(
        self,
        logits: npt.NDArray[np.float32],
        exact: npt.NDArray[np.float32],
        *,
        rounding: float | npt.NDArray[np.float32] = 0.0,
    ) -> npt.NDArray[np.bool_]:
        """(rows,) which rows are further off than can be; NaN is.

        Args:
            logits: (rows, classes).
            exact: (rows, classes) as they should be.
            rounding: what each may be off beside that, as (rows, classes).
        """
        difference, allowed = np.abs(logits - exact), self.absolute + self.relative * np.abs(exact)
        often: npt.NDArray[np.bool_] = ~(difference <= allowed + rounding).all(axis=1)
        ever: npt.NDArray[np.bool_] = ~(difference <= self.seldom * allowed + rounding).all(axis=1)
        return often if often.sum() > max(_FEW, len(logits) // _SHARE) else ever

    def __str__(self) -> str:
        few = f", in a few rows {self.seldom:g} times that" if self.seldom > 1 else ""
        return f"{self.absolute:g} + {self.relative:g}·|x|{few}"


_FEW, _SHARE = 2, 8
"""Rows that may be further off: so many, or one of so many."""
BOUNDS: Mapping[str, Bound] = {
    "fp32": Bound(1e-4, 5e-4),
    "fp16": Bound(2e-2, 1e-2, seldom=3),
    "bf16": Bound(2e-1, 1e-1, seldom=3),
}
"""By dtype of the computation. That of fp32 is what storing fp16 costs."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The rows that a backend is chosen for.

    Attributes:
        longest: tokens of the longest row.
        device: that computes.
        dtype: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        tokens: how many are to be computed, as far as is known.
        training: whether gradients are needed.
    """

    longest: int
    device: "torch.device"
    dtype: str = "fp32"
    tokens: float = 0.0
    training: bool = False


class Forward(ABC):
    """A model that a backend made ready: rows of token ids → logits, a batch at a time.

    Args:
        budget: tokens a batch.

    Attributes:
        budget: tokens a batch.
        fits: tokens that fit into memory, as far as is known; an `Encoder` lowers it when memory runs out.
        has_attention_dropout: whether attention weights are dropped in training.
    """

    has_attention_dropout: bool = True

    def __init__(self, *, budget: int) -> None:
        self.budget = self.fits = budget

    @abstractmethod
    def __call__(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> "torch.Tensor":
        """(rows, classes) logits, of chosen rows."""

    def plan(self, lengths: npt.NDArray[np.int64]) -> Plan:
        """Cut rows of these lengths, (rows,) tokens, into batches; padded ones, unless overridden."""
        return plan(lengths, budget=self.budget)

    def kinds(
        self,
        tokens: Tokens,  # noqa: ARG002 - overridden
        rows: npt.NDArray[np.int64],  # noqa: ARG002
    ) -> npt.NDArray[np.int64] | None:
        """(rows,) numbers of chosen rows: those that differ in theirs never share a batch. None if all may."""
        return None

    def plan_rows(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Plan:
        """Cut chosen rows into batches of places in ``rows``."""
        lengths, kinds = tokens.lengths[rows], self.kinds(tokens, rows)
        return self.plan(lengths) if kinds is None else plan_apart(kinds, lengths, self.plan)

    def computed_tokens(self, batches: Plan, lengths: npt.NDArray[np.int64]) -> int:
        """Tokens that ``batches`` compute, padding included."""
        return waste(batches, lengths).padded

    def on_layer(self, call: Callable[[], None]) -> None:  # noqa: B027 - a backend may see no layers
        """Let ``call`` be called before each layer, because a batch may take long."""


class Backend(ABC):
    """A way to compute logits.

    Attributes:
        name: in the card of a label set, as ``path``.
        can_train: whether its `Forward` gives gradients.
        first_only: whether the last layer is computed for the first token of each row alone.
        pads: whether rows of different lengths are padded.
        bounds: by dtype, how far its logits may be off from those of fp32.
    """

    name: str
    can_train: bool = False
    first_only: bool = False
    pads: bool = False
    bounds: Mapping[str, Bound] = BOUNDS

    @abstractmethod
    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """Why it cannot compute ``module``: found by a probe, not from names; None if it can.

        Args:
            module: the classifier, in fp32 and evaluation mode.
            workload: the rows to be computed.
        """

    def is_worthwhile(self, workload: Workload) -> bool:  # noqa: ARG002 - overridden
        """Whether it is chosen unless the user or a card names another."""
        return True

    @abstractmethod
    def make(self, module: Any, *, budget: int, longest: int) -> Forward:
        """What computes batches.

        Args:
            module: the classifier, on its device, in its dtype and mode (evaluation or training).
            budget: tokens a batch.
            longest: tokens of the longest row.
        """

    def card_fields(self) -> dict[str, Any]:
        """Its fields in a label card. All of them must be the same when the label set is continued."""
        return {"path": self.name}

    def in_effect(self) -> "Backend":
        """The backend whose code runs after a warm-up: another one if this one had to fall back."""
        return self

    def can_replace(self, other: "Backend") -> bool:
        """Whether a label set that ``other`` began may be continued with this one."""
        return other is self


class ComputesExactly(Protocol):
    """Computes single rows in fp32, to compare others with.

    Attributes:
        dtype: of its batches: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        bound: how far the logits of its batches may be off.
    """

    dtype: str

    @property
    def bound(self) -> Bound: ...  # noqa: D102

    def exact_logits(self, tokens: Tokens, row: int) -> npt.NDArray[np.float32]:
        """(classes,) float32 of one row, computed alone and in fp32."""


class Computes(ComputesExactly, Protocol):
    """Turns tokens into logits; `engine.compute.encoder.Encoder` does with any backend.

    Attributes:
        path: name of the backend.
        splits: how often a batch was split so far because memory ran out.
        busy_seconds: for how long its device has computed so far.
    """

    splits: int
    busy_seconds: float

    @property
    def path(self) -> str: ...  # noqa: D102

    def plan(self, tokens: Tokens) -> Plan:
        """The batches in which `logits` computes ``tokens``."""

    def computed_tokens(self, tokens: Tokens, batches: Plan) -> int:
        """Tokens that ``batches`` compute, padding included."""

    def ceiling(self) -> float:
        """Floating-point operations a second that its device reaches at most."""

    def flops(self, tokens: Tokens) -> float:
        """Floating-point operations that ``tokens`` take, padding not counted."""

    def logits(self, tokens: Tokens, batches: Plan, *, tick: Tick = silent) -> npt.NDArray[np.float32]:
        """(rows, classes) float32, in the order of ``tokens``."""
