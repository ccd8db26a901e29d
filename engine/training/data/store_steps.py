"""A store's soft labels → the steps of a training. Stored tokens are used if the store has them, else texts."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.errors import TrainingError
from engine.tokens.encoding import Encoding
from engine.tokens.stored import check_tokens
from engine.tokens.tokens import Tokens
from engine.training.data.steps import Step
from store import Store
from store.selections.selection import chosen_rows

if TYPE_CHECKING:
    from engine.training.distributed import Ranks

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SoftLabels:
    """The rows and targets that a student learns from.

    Attributes:
        labels: label sets with the logits.
        select: a selection; all rows if None.
        weights: (rows of the store,) float32 by row number, or None.
        rounds: of gold, to learn from its labels too, 0 being the corpus's own; None for no gold.
        temperatures: one for each label set, by which its logits are divided; None to leave them as they are.
    """

    labels: tuple[str, ...]
    select: str | None = None
    weights: npt.NDArray[np.float32] | None = None
    rounds: tuple[int, ...] | None = None
    temperatures: tuple[float, ...] | None = None


class SoftSteps:
    """Steps of soft labels; implements `engine.training.data.steps.Steps`. The targets are those of `SoftLoss`.

    The store's stream is opened once, for all epochs. It reads the next window of some 65,000 rows in a thread of its
    own, beside that of `engine.training.data.prefetch.ahead`: the few steps that are prepared there do not hide the
    reading of a window if steps are short or the storage is slow.

    Args:
        store: the store.
        soft: the rows and targets.
        encoding: of the student.
        batch_size: rows a step, of all ranks.
        seed: of the order.
        ranks: this process takes its part of each step.

    Attributes:
        truncated: rows of whose texts the student sees a part; None where they are tokenised on the fly, or not all of
            the store's rows are learned from.
    """

    def __init__(
        self, store: Store, soft: SoftLabels, encoding: Encoding, *, batch_size: int, seed: int, ranks: "Ranks"
    ) -> None:
        self._soft, self._encoding, self._batch_size = soft, encoding, batch_size
        self._is_stored = has_tokens(store, encoding)
        if self._is_stored:
            log.info("the tokens of %s are read from the store", encoding.name)
        else:
            log.info("texts are tokenised on the fly: the store keeps no complete tokens of %s", encoding.name)
        text = () if self._is_stored else ("text",)
        gold = () if soft.rounds is None else ("gold",)
        self._stream = store.stream(
            labels=soft.labels,
            select=soft.select,
            columns=("logits", *text, *gold),
            rounds=soft.rounds,
            encoding=encoding.name if self._is_stored else None,
            batch_size=batch_size,
            seed=seed,
            rank=ranks.rank,
            ranks=ranks.count,
        )
        self.rows, self.per_epoch, self.longest = self._stream.rows, self._stream.steps, encoding.max_length
        if ranks.is_first:
            _say_left_out(store, soft, self.rows)
        self.truncated: int | None = None
        if self._is_stored and self.rows == store.layout.rows:
            records = store.tokens(encoding.name).records().values()
            self.truncated = sum(record.statistics["truncated"] for record in records)

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of one epoch, from step ``first`` on."""
        stream = self._stream.at(epoch=epoch, step=first)
        for number, batch in enumerate(stream, start=first):
            size = min(self._batch_size, self.rows - number * self._batch_size)
            rows = np.arange(len(batch["row"]))
            tokens = tokens_of_batch(batch, None if self._is_stored else self._encoding)
            yield Step(tokens=tokens, rows=rows, targets=self._targets(batch), size=size)

    def _targets(self, batch: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
        logits = batch["logits"].astype(np.float32)
        targets = {"logits": logits if logits.ndim == 3 else logits[:, None]}
        if self._soft.temperatures is not None:
            targets["logits"] /= np.array(self._soft.temperatures, np.float32)[:, None]
        if self._soft.rounds is not None:
            targets["label"] = batch["gold"].astype(np.int64)
        if self._soft.weights is not None:
            targets["weight"] = np.asarray(self._soft.weights[batch["row"]])
        return targets


def tokens_of_batch(batch: dict[str, Any], encoding: Encoding | None) -> Tokens:
    """Those of a stream's batch: as it has them, or of its texts by ``encoding``."""
    if encoding is not None:
        return encoding.encode(batch["text"].tolist())
    truncated = np.zeros(len(batch["row"]), np.bool_)
    return Tokens(ids=batch["input_ids"], offsets=batch["offsets"], truncated=truncated)


def _say_left_out(store: Store, soft: SoftLabels, rows: int) -> None:
    """Say how many rows are not learned from, since a label set has no logits for them."""
    chosen = None if soft.select is None else chosen_rows(store, select=soft.select)
    asked = store.layout.rows if chosen is None else len(chosen)
    if rows < asked:
        names = ", ".join(soft.labels)
        log.info(
            "%s of %s rows are left out: they lack an answer in one of these label sets: %s",
            f"{asked - rows:,}",
            f"{asked:,}",
            names,
        )


def has_tokens(store: Store, encoding: Encoding) -> bool:
    """Whether the store has all token ids of ``encoding``.

    Raises:
        MismatchError: it has, and they were made in another way.
    """
    family = store.tokens(encoding.name)
    if family.missing():
        return False
    check_tokens(family, encoding)
    return True


def complete_label_sets(store: Store, names: tuple[str, ...]) -> tuple[str, ...]:
    """The label sets ``names``, or the only one if empty; all of them are complete.

    Raises:
        StoreMissingError: a label set does not exist.
        TrainingError: shards are missing, or a label set is named twice.
    """
    if len(set(names)) != len(names):
        raise TrainingError(f"--labels names a label set twice: {', '.join(names)}")
    chosen = tuple(store.one_label_set(name) for name in names or (None,))
    for name in chosen:
        family = store.label_set(name)
        if missing := family.missing():
            raise TrainingError(family.lacking(missing))
    return chosen
