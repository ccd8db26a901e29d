"""Steps of a training that needs no store: random tokens of random lengths."""

import numpy as np
from families import made_up

from engine.training.data.steps import Step
from engine.training.output.checkpoint import model_tensors


class MadeUpSteps:
    """Steps of random tokens; as `engine.training.data.steps.Steps`."""

    def __init__(self, *, rows=12, batch_size=4):
        self.rows, self.per_epoch, self.longest = rows, -(-rows // batch_size), 16
        self._batch_size = batch_size
        self._tokens = made_up(np.random.default_rng(0).integers(3, 16, rows))
        self._labels = np.arange(rows) % 3

    def epoch(self, epoch, first):
        for start in range(first * self._batch_size, self.rows, self._batch_size):
            rows = np.arange(start, min(start + self._batch_size, self.rows))
            yield Step(tokens=self._tokens, rows=rows, targets={"label": self._labels[rows]}, size=len(rows))


def run(made):
    """Go on with the `Training` ``made`` to its end: copies of its tensors, by name."""
    made.resume()
    made.run()
    if made._saving is not None:
        made._saving.end()
    return {name: tensor.detach().clone() for name, tensor in model_tensors(made._module).items()}
