"""A store's texts → the steps of a masked language model. Stored tokens are used if the store has them, else texts."""

from collections.abc import Iterator

import numpy as np

from engine.tokens.encoding import Encoding
from engine.tokens.masking import Masking
from engine.training.data.steps import Step
from engine.training.data.store_steps import has_tokens, tokens_of_batch
from engine.training.distributed import Ranks
from store import Store


class MaskedSteps:
    """Steps of texts, some tokens of which are hidden; implements `engine.training.data.steps.Steps`.

    The target is ``label``, (rows, most hidden in one) int64, as `engine.training.loss.masked_cross_entropy` takes it.
    Texts that have no token to hide are left out.

    Args:
        store: the texts.
        encoding: of the model.
        masking: how tokens are hidden.
        batch_size: texts a step, of all ranks.
        ranks: this process takes its part of each step.

    Attributes:
        truncated: texts of which the model sees a part; None: that is not counted.
    """

    truncated: int | None = None

    def __init__(self, store: Store, encoding: Encoding, masking: Masking, *, batch_size: int, ranks: Ranks) -> None:
        self._encoding, self._masking, self._batch_size = encoding, masking, batch_size
        self._is_stored = has_tokens(store, encoding)
        self._stream = store.stream(
            columns=() if self._is_stored else ("text",),
            encoding=encoding.name if self._is_stored else None,
            batch_size=batch_size,
            seed=masking.seed,
            rank=ranks.rank,
            ranks=ranks.count,
        )
        self.rows, self.per_epoch, self.longest = self._stream.rows, self._stream.steps, encoding.max_length

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of one epoch, from step ``first`` on."""
        for number, batch in enumerate(self._stream.at(epoch=epoch, step=first), start=first):
            size = min(self._batch_size, self.rows - number * self._batch_size)
            tokens = tokens_of_batch(batch, None if self._is_stored else self._encoding)
            masked, labels = self._masking(tokens, batch["row"], epoch=epoch)
            rows = np.flatnonzero(np.diff(masked.starts))
            yield Step(tokens=masked, rows=rows, targets={"label": labels[rows]}, size=size)
