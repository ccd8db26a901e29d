"""Gold labels in memory → the steps of a training."""

from collections.abc import Iterator

from engine.inputs.labels.labelled import Gold
from engine.tokens.encoding import Encoding
from engine.training.data.steps import Step
from engine.training.distributed import Ranks
from store.rows.order import whole_order
from store.rows.rechunk import part_of


class GoldSteps:
    """Steps of gold rows, in the order that a store's stream would give them; implements `Steps`.

    Args:
        gold: the rows, which are tokenised once.
        encoding: of the model.
        batch_size: rows a step, of all ranks.
        seed: of the order.
        ranks: this process takes its part of each step.

    Attributes:
        truncated: rows of whose texts the model sees a part.
    """

    def __init__(self, gold: Gold, encoding: Encoding, *, batch_size: int, seed: int, ranks: Ranks) -> None:
        self.rows, self.longest = len(gold.texts), encoding.max_length
        self.per_epoch = -(-self.rows // batch_size)
        self._tokens, self._labels = encoding.encode(gold.texts), gold.labels
        self.truncated = int(self._tokens.truncated.sum())
        self._batch_size, self._seed, self._ranks = batch_size, seed, ranks

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """The steps of one epoch, from step ``first`` on."""
        order = whole_order(self.rows, seed=self._seed, epoch=epoch)
        rank, count = self._ranks.rank, self._ranks.count
        for start in range(first * self._batch_size, self.rows, self._batch_size):
            step = order[start : start + self._batch_size]
            rows = step[slice(*part_of(len(step), rank=rank, ranks=count))]
            yield Step(tokens=self._tokens, rows=rows, targets={"label": self._labels[rows]}, size=len(step))
