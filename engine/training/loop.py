"""Steps of rows and targets → a trained model. The one loop that gold and soft labels share.

A step is a number of rows. Ranks split them, and the token budget cuts a rank's part into micro-batches: the loss is
the sum over the step's rows divided by their number, so that it depends on neither. Random numbers of a step come from
the seed, the step and the rank, so that a resumed run gives the same numbers as one that was never stopped.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.compute.device import warn_if_emulated
from engine.errors import TrainingError
from engine.models.classifier import Classifier
from engine.progress import Tick, silent
from engine.training.data.prefetch import ahead
from engine.training.data.steps import Step, Steps
from engine.training.distributed import Ranks
from engine.training.dtype_choice import choose_dtype
from engine.training.due import due_after
from engine.training.loss import Loss
from engine.training.micro_batches import MakeForward, MicroBatches, classifier_forward
from engine.training.optimizer import FlatGradients, Optimizer, linear_decay
from engine.training.output.checkpoint import Checkpoint, load_tensors, model_tensors
from engine.training.output.saving import Saving
from engine.training.state import TrainState
from engine.training.tasks.config import LoopConfig
from engine.training.validation import Validation

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The model, its data and its loss.

    Attributes:
        model: trained in place.
        steps: the data.
        loss: of a micro-batch.
        config: hyperparameters.
        make: what computes batches of the model.
        doing: what the training is, for progress.
        rate: the option that is its learning rate, for messages.
    """

    model: Classifier
    steps: Steps
    loss: Loss
    config: LoopConfig
    make: MakeForward = classifier_forward
    doing: str = "training"
    rate: str = "--learning-rate"


def fit(
    objective: Objective,
    *,
    ranks: Ranks,
    saving: Saving | None = None,
    validation: Validation | None = None,
    tick: Tick = silent,
) -> TrainState:
    """Train a model, from the latest checkpoint on if one exists.

    Args:
        objective: model, data, loss and hyperparameters.
        ranks: the processes that train together, and this one's device.
        saving: writes checkpoints and metrics, if given.
        validation: if given, the weights of the best validated state are kept instead of the last ones.
        tick: told the loss, the number of the step and how many steps there are in all epochs.

    Returns:
        The final state.

    Raises:
        TrainingError: the objective has no rows, the loss is not finite, or a rank was lost.
    """
    if objective.steps.per_epoch < 1:
        raise TrainingError("there is no row to learn from; if --select names a selection, it may be empty")
    training = Training(objective, ranks=ranks, saving=saving, validation=validation, tick=tick)
    training.resume()
    training.run()
    return training.state


class Training:
    """A training in progress; arguments as in `fit`.

    Attributes:
        state: its progress.
    """

    def __init__(
        self, objective: Objective, *, ranks: Ranks, saving: Saving | None, validation: Validation | None, tick: Tick
    ) -> None:
        config = objective.config
        self.state = TrainState()
        self._model, self._steps, self._config = objective.model, objective.steps, config
        self._ranks, self._saving, self._validation, self._tick = ranks, saving, validation, tick
        self._doing, self._rate = objective.doing, objective.rate
        self._total = config.epochs * objective.steps.per_epoch
        self._module: Any = objective.model.module.to(ranks.device)
        self._backward = MicroBatches(
            self._module,
            objective.loss,
            ranks.device,
            budget=config.tokens_per_batch,
            longest=objective.steps.longest,
            dtype=config.dtype,
            make=objective.make,
        )
        self._optimizer = Optimizer(
            self._module,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            factor=linear_decay(self._total, config.warmup),
        )
        self._gradients = FlatGradients(self._optimizer.parameters, sums=1 + ranks.count)

    def resume(self) -> None:
        """Load the latest checkpoint, if one exists.

        Raises:
            TrainingError: the ranks found different checkpoints, or it is of another version.
        """
        checkpoint = self._saving.checkpoints.latest() if self._saving is not None else None
        if checkpoint is not None:
            load_tensors(self._module, checkpoint.model)
            self._optimizer.restore(checkpoint.optimizer)
            self.state = TrainState.from_json(checkpoint.state)
            _log.info("resuming after step %s of %s", f"{self.state.done:,}", f"{self._total:,}")
        if len(set(steps := self._ranks.gather(self.state.done))) > 1:
            raise TrainingError(
                f"ranks would go on from different steps ({', '.join(f'{step:,}' for step in steps)}): --out must "
                "be one folder that all machines share"
            )
        self._backward.dtype = self.state.dtype = self._config.dtype or choose_dtype(
            self._backward, self._module, self._gradients, self._steps, self._ranks, total=self._total, state=self.state
        )
        if self._config.dtype is not None or self.state.done:  # else it was measured
            remedy = "The training keeps it; --dtype auto takes what is faster, with another --out"
            warn_if_emulated(self.state.dtype, self._ranks.device, remedy=remedy)
        self._take_budget(min(self._ranks.gather(self.state.budget or self._backward.budget)))
        if self._saving is not None:
            self._saving.begin(self.state.done, first=self._ranks.is_first)

    def run(self) -> None:
        """Take all remaining steps; then the module has the best or the last weights, and is in evaluation mode."""
        state = self.state
        while not state.stopped and state.done < self._total:
            first = state.done - state.epoch * self._steps.per_epoch
            with ahead(self._steps.epoch(state.epoch, first)) as steps:
                self._take(steps)
        self._module.eval()
        if self._saving is not None and state.best is not None and state.best.step != state.done:
            load_tensors(self._module, self._saving.best_checkpoint(state.best).model)

    def _take(self, steps: Iterator[Step]) -> None:
        """Take ``steps`` to the end of the epoch, or until the training stops early."""
        state = self.state
        before = time.perf_counter()
        for step in steps:
            waited = time.perf_counter() - before
            loss, norm = self._step(step)
            now = time.perf_counter()
            state.add(loss=loss, norm=norm, rows=step.size, seconds=now - before, waited=waited)
            before = now
            self._tick(f"{self._doing}, epoch {state.epoch + 1}, loss {state.mean_loss:.4f}", state.done, self._total)
            self._follow_up(state.done)
            if state.stopped:
                return
            before += time.perf_counter() - now

    def _step(self, step: Step) -> tuple[float, float]:
        """One optimiser step; the sum of its rows' losses, of all ranks, and the norm of the gradient."""
        done, gradients = self.state.done, self._gradients
        self._module.train()
        self._backward(step, gradients, seed=(self._config.seed, done, self._ranks.rank))
        gradients.sums[1 + self._ranks.rank] = self._backward.budget
        self._ranks.sum(gradients.everything, doing=f"in step {done + 1:,}")
        loss, *budgets = gradients.sums.tolist()
        self._take_budget(int(min(budgets)))
        norm = gradients.clip(self._config.clip)
        for name, figure in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(figure):
                lower = f"lower {self._rate}, and name another folder with --out"
                raise TrainingError(f"the {name} is {figure} at step {done + 1:,}; {lower}")
        self._optimizer.step(done)
        return loss, norm

    def _take_budget(self, budget: int) -> None:
        """Cut micro-batches by the smallest budget of all ranks: a resumed run then goes on with the same ones."""
        self._backward.budget = self.state.budget = budget

    def _follow_up(self, done: int) -> None:
        """Do the work that is due after step ``done``. A validation may stop the training, and so end the epoch."""
        state, saving = self.state, self._saving
        due = due_after(
            done,
            per_epoch=self._steps.per_epoch,
            total=self._total,
            saving=saving,
            validation=self._validation,
            is_first=self._ranks.is_first,
        )
        if saving is not None and due.log:
            saving.log(state, learning_rate=self._optimizer.learning_rate(done - 1))
        if self._validation is not None and due.validate:
            self._validate(self._validation)
        if due.epoch_end or state.stopped:
            state.end_epoch()
        if saving is not None and due.save:
            saving.save(self._checkpoint(), state)

    def _validate(self, validation: Validation) -> None:
        figures = validation.measure(self._model, self._ranks)
        self.state.add_validation(figures, by=validation.config.by, patience=validation.config.patience)
        if self._saving is not None:
            self._saving.log_validation(self.state, figures)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            model=model_tensors(self._module), optimizer=self._optimizer.state(), state=self.state.to_json()
        )
