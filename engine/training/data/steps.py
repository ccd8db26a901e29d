"""What a training learns from: steps of rows, epoch by epoch, prepared in a thread of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.tokens.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class Step:
    """This rank's rows of one optimiser step.

    Attributes:
        tokens: token ids of at least these rows.
        rows: (n,) which rows of ``tokens``; there may be none.
        targets: by name, (n, …) what the loss compares with.
        size: rows of the step, of all ranks.
    """

    tokens: Tokens
    rows: npt.NDArray[np.int64]
    targets: dict[str, npt.NDArray[Any]]
    size: int


class Steps(Protocol):
    """The same steps, however often and from wherever they are asked for."""

    rows: int
    """Rows of an epoch, of all ranks."""
    per_epoch: int
    """Steps of an epoch; every rank has as many."""
    longest: int
    """Tokens that a row has at most."""

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of an epoch, counted from 0, from step ``first`` on."""
        ...
