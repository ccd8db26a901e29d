"""The data of a training as the loop sees it: steps of rows and targets, epoch by epoch."""

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
        rows: (n,) indices into ``tokens``; n may be 0.
        targets: by name, (n, …) as the loss takes them.
        size: rows of the step, of all ranks.
    """

    tokens: Tokens
    rows: npt.NDArray[np.int64]
    targets: dict[str, npt.NDArray[Any]]
    size: int


class Steps(Protocol):
    """A repeatable source of steps: the same epoch and step always have the same rows."""

    rows: int
    """Rows of an epoch, of all ranks."""
    per_epoch: int
    """Steps of an epoch, the same for every rank."""
    longest: int
    """Largest number of tokens in a row."""

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of an epoch, counted from 0, from step ``first`` on."""
        ...
