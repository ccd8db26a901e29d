"""A store's soft labels → the steps of a training: stored tokens where the encoding is equal, else texts."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import TrainingError
from engine.tokens.encoding import Encoding
from engine.tokens.stored import check_tokens
from engine.tokens.tokens import Tokens
from engine.training.data.steps import Step
from engine.training.distributed import Ranks
from store import Store
from store.stream import Stream

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SoftLabels:
    """Which rows of a store a student learns from, and what.

    Attributes:
        labels: label sets, whose logits come.
        select: a selection; all rows where None.
        weights: (rows of the store,) float32 by row number, or None.
        rounds: the rounds of gold whose labels come too, 0 being the corpus's own; None for no gold.
        temperatures: one a label set, by which its logits are divided; None where they come as they are.
    """

    labels: tuple[str, ...]
    select: str | None = None
    weights: npt.NDArray[np.float32] | None = None
    rounds: tuple[int, ...] | None = None
    temperatures: tuple[float, ...] | None = None


class SoftSteps:
    """The steps; as `engine.training.data.steps.Steps`.

    Args:
        made: the store.
        what: of it.
        encoding: of the student.
        batch_size: rows a step, of all ranks.
        seed: of the order.
        ranks: of which this process is one.
    """

    def __init__(
        self, store: Store, what: SoftLabels, encoding: Encoding, *, batch_size: int, seed: int, ranks: Ranks
    ) -> None:
        self._store, self._what, self._encoding = store, what, encoding
        self._batch_size, self._seed, self._ranks = batch_size, seed, ranks
        self._is_stored = _has_tokens(store, encoding)
        stream = self._stream(epoch=0, first=0)
        self.rows, self.per_epoch, self.longest = stream.rows, stream.steps, encoding.max_length

    def _stream(self, *, epoch: int, first: int) -> Stream:
        columns = (
            "logits",
            *(() if self._is_stored else ("text",)),
            *(("gold",) if self._what.rounds is not None else ()),
        )
        return self._store.stream(
            labels=self._what.labels,
            select=self._what.select,
            columns=columns,
            rounds=self._what.rounds,
            encoding=self._encoding.name if self._is_stored else None,
            batch_size=self._batch_size,
            seed=self._seed,
            epoch=epoch,
            step=first,
            rank=self._ranks.rank,
            ranks=self._ranks.count,
        )

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of one epoch, from step ``first`` on."""
        stream = self._stream(epoch=epoch, first=first)
        for number, batch in enumerate(stream, start=first):
            size = min(self._batch_size, self.rows - number * self._batch_size)
            rows = np.arange(len(batch["row"]))
            yield Step(tokens=self._tokens(batch), rows=rows, targets=self._targets(batch), size=size)

    def _tokens(self, batch: dict[str, Any]) -> Tokens:
        if not self._is_stored:
            return self._encoding.encode(batch["text"].tolist())
        truncated = np.zeros(len(batch["row"]), np.bool_)
        return Tokens(ids=batch["input_ids"], offsets=batch["offsets"], truncated=truncated)

    def _targets(self, batch: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
        logits = batch["logits"].astype(np.float32)
        targets = {"logits": logits if logits.ndim == 3 else logits[:, None]}
        if self._what.temperatures is not None:
            targets["logits"] /= np.array(self._what.temperatures, np.float32)[:, None]
        if self._what.rounds is not None:
            targets["label"] = batch["gold"].astype(np.int64)
        if self._what.weights is not None:
            targets["weight"] = np.asarray(self._what.weights[batch["row"]])
        return targets


def _has_tokens(store: Store, encoding: Encoding) -> bool:
    """Whether the store keeps all token ids of ``encoding``; says so in the log."""
    family = store.tokens(encoding.name)
    if family.missing():
        log.info("texts are tokenised on the fly: the store keeps no complete tokens of %s", encoding.name)
        return False
    check_tokens(family, encoding)
    log.info("the tokens of %s are read from the store", encoding.name)
    return True


def complete_label_sets(store: Store, names: tuple[str, ...]) -> tuple[str, ...]:
    """The label sets ``names``, or the only one; all of their shards are there.

    Raises:
        StoreMissingError: there is no such label set.
        TrainingError: shards are missing, or a set is named twice.
    """
    if len(set(names)) != len(names):
        raise TrainingError(f"--labels names a label set twice: {', '.join(names)}")
    chosen = tuple(store.one_label_set(name) for name in names or (None,))
    for name in chosen:
        family = store.label_set(name)
        if missing := family.missing():
            raise TrainingError(family.lacking(missing))
    return chosen
