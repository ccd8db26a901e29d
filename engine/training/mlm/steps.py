"""A store's texts → the steps of a masked language model. Stored tokens are used if the store has them, else texts."""

import logging
from collections.abc import Iterator

import numpy as np
import torch

from engine.errors import InputError
from engine.inputs.messages import counted
from engine.progress import Tick
from engine.tokens.encoding import Encoding
from engine.tokens.masking import Masking
from engine.training.data.steps import Step
from engine.training.data.store_steps import has_tokens, tokens_of_batch
from engine.training.distributed import Ranks
from store import Store

_log = logging.getLogger(__name__)


class MaskedSteps:
    """Steps of texts, some tokens of which are hidden; implements `engine.training.data.steps.Steps`.

    The target is ``label``, (rows, most hidden in one) int64, as `engine.training.loss.masked_cross_entropy` takes it.
    Texts that have no token to hide are left out; the loss of the others has to count for more (`share`).

    Args:
        store: the texts.
        encoding: of the model.
        masking: how tokens are hidden.
        batch_size: texts a step, of all ranks.
        ranks: this process takes its part of each step.
        tick: told how many texts were looked at.

    Raises:
        InputError: no text has a token to hide.

    Attributes:
        learned: texts that have a token to hide, of all ranks.
        truncated: texts of which the model sees a part; None: that is not counted.
    """

    truncated: int | None = None

    def __init__(
        self, store: Store, encoding: Encoding, masking: Masking, *, batch_size: int, ranks: Ranks, tick: Tick
    ) -> None:
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
        self.learned = self._count_learned(ranks, tick)

    @property
    def share(self) -> float:
        """Of `learned` among all texts."""
        return self.learned / self.rows

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of one epoch, from step ``first`` on."""
        for number, batch in enumerate(self._stream.at(epoch=epoch, step=first), start=first):
            size = min(self._batch_size, self.rows - number * self._batch_size)
            tokens = tokens_of_batch(batch, None if self._is_stored else self._encoding)
            masked, labels = self._masking(tokens, batch["row"], epoch=epoch)
            rows = np.flatnonzero(np.diff(masked.starts))
            yield Step(tokens=masked, rows=rows, targets={"label": labels[rows]}, size=size)

    def _count_learned(self, ranks: Ranks, tick: Tick) -> int:
        """How many texts have a token to hide, with a word on the others. Each rank looks at its part of them."""
        found = done = 0
        for batch in self._stream.at(epoch=0):
            tokens = tokens_of_batch(batch, None if self._is_stored else self._encoding)
            found += int(self._masking.can_hide(tokens).sum())
            done += len(batch["row"])
            tick("looking at the texts of --mlm", done * ranks.count, self.rows)
        count = torch.tensor([found], device=ranks.device)
        ranks.sum(count, doing="while it looked at the texts of --mlm", patient=True)
        learned = int(count)
        if not learned:
            raise InputError(
                f"none of {counted(self.rows, 'text')} of --mlm has a word that the model's tokenizer knows, so that "
                "nothing can be hidden; name other texts, and another folder with --out"
            )
        if learned < self.rows and ranks.is_first:
            _log.warning(
                "%s of %s of --mlm have no word that the model's tokenizer knows, and are left out",
                f"{self.rows - learned:,}",
                counted(self.rows, "text"),
            )
        return learned
