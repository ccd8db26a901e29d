"""Steps of rows and targets → a trained model. The one loop that gold and soft labels share.

A step is a number of rows. Ranks split them, and the token budget cuts a rank's part into micro-batches: the loss is
the sum over the step's rows divided by their number, so that it depends on neither. Random numbers of a step come from
the seed, the step and the rank, so that a run that goes on from a checkpoint is the run that was never stopped.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engine.errors import TrainingError
from engine.models.classifier import Classifier
from engine.progress import Tick, silent
from engine.training.data.prefetch import ahead
from engine.training.data.steps import Step, Steps
from engine.training.distributed import Ranks
from engine.training.loss import Loss
from engine.training.micro_batches import MicroBatches
from engine.training.optimizer import FlatGradients, Optimizer, linear_decay
from engine.training.output.checkpoint import Checkpoint, Tensors, model_tensors
from engine.training.output.saving import Saving
from engine.training.state import Best, TrainState
from engine.training.validation import Validating

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How to train. The defaults are the recipe of Mosbach et al. (2020) for few labels, but for the epochs.

    Attributes:
        epochs: passes over the rows.
        batch_size: rows a step, of all ranks together.
        learning_rate: its peak: it rises over the first ``warmup`` of the steps and falls to zero, linearly.
        warmup: share of the steps.
        weight_decay: of AdamW; not on biases and norms.
        clip: largest norm of the gradient.
        seed: of the order and of dropout.
        tokens_per_batch: tokens of a micro-batch, padding included where rows are padded; by device where None.
    """

    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    tokens_per_batch: int | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < float("inf"):
            raise TrainingError(
                f"epochs {self.epochs}, batch size {self.batch_size} and learning rate {self.learning_rate} "
                "must all be positive"
            )


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What is taught to whom.

    Attributes:
        model: what is trained, in place.
        steps: what it learns from.
        loss: of a micro-batch.
        config: how.
    """

    model: Classifier
    steps: Steps
    loss: Loss
    config: LoopConfig


def fit(
    lesson: Objective,
    *,
    ranks: Ranks,
    saving: Saving | None = None,
    validating: Validating | None = None,
    tick: Tick = silent,
) -> TrainState:
    """Train a model, from the latest checkpoint on where there is one.

    Args:
        lesson: what is taught to whom.
        ranks: who trains together, and this one's device.
        saving: where checkpoints and metrics go.
        validating: how the model is judged on the way; of all states that were saved, the best one is kept.
        tick: told the step, of all epochs' steps, and what the loss is.

    Returns:
        How it went.

    Raises:
        TrainingError: there is no row, the loss is not finite, or a rank was lost.
    """
    if lesson.steps.per_epoch < 1:
        raise TrainingError("there is no row to learn from")
    training = Training(lesson, ranks=ranks, saving=saving, validating=validating, tick=tick)
    training.resume()
    training.run()
    return training.course


class Training:
    """A training that is going on; arguments as in `fit`.

    Attributes:
        course: where it is.
    """

    def __init__(
        self, lesson: Objective, *, ranks: Ranks, saving: Saving | None, validating: Validating | None, tick: Tick
    ) -> None:
        config = lesson.config
        self.course = TrainState()
        self._model, self._steps, self._config = lesson.model, lesson.steps, config
        self._ranks, self._saving, self._validating, self._tick = ranks, saving, validating, tick
        self._total = config.epochs * lesson.steps.per_epoch
        self._module: Any = lesson.model.module.to(ranks.device)
        self._backward = MicroBatches(
            self._module, lesson.loss, ranks.device, budget=config.tokens_per_batch, longest=lesson.steps.longest
        )
        self._optimizer = Optimizer(
            self._module,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            factor=linear_decay(self._total, config.warmup),
        )
        self._gradients = FlatGradients(self._optimizer.parameters, sums=1)

    def resume(self) -> None:
        """Go on from the latest checkpoint, where there is one."""
        checkpoint = self._saving.checkpoints.latest() if self._saving is not None else None
        if checkpoint is not None:
            self._place(checkpoint.model)
            self._optimizer.restore(checkpoint.optimizer)
            self.course = _course(checkpoint.state)
            _log.info("going on behind step %s of %s", f"{self.course.done:,}", f"{self._total:,}")
        self._agree()
        if self._saving is not None:
            self._saving.begin(self.course.done, first=self._ranks.is_first)

    def _agree(self) -> None:
        """See that all ranks go on from the same step: they must find the same checkpoints.

        Raises:
            TrainingError: they do not.
        """
        steps = torch.zeros(self._ranks.count, dtype=torch.int64, device=self._ranks.device)
        steps[self._ranks.rank] = self.course.done
        self._ranks.sum(steps, doing="at the beginning", patient=True)
        if (steps != self.course.done).any():
            raise TrainingError(
                f"ranks would go on from different steps ({', '.join(f'{int(step):,}' for step in steps)}): --out must "
                "be one folder that all machines share"
            )

    def _place(self, tensors: Tensors) -> None:
        with torch.no_grad():
            for name, tensor in model_tensors(self._module).items():
                tensor.copy_(tensors[name])

    def run(self) -> None:
        """Take every step that is left; then the module is the best or the last one, and in evaluation mode."""
        course = self.course
        while not course.stopped and course.done < self._total:
            first = course.done - course.epoch * self._steps.per_epoch
            with ahead(self._steps.epoch(course.epoch, first)) as steps:
                self._take(steps)
        self._module.eval()
        if course.best is not None and course.best.step != course.done:
            self._place_best(course.best)

    def _take(self, steps: Any) -> None:
        """Take ``steps`` to the end of the epoch, or until the training stops early."""
        course = self.course
        before = time.perf_counter()
        for step in steps:
            waited = time.perf_counter() - before
            loss, norm = self._step(step)
            now = time.perf_counter()
            course.add(loss=loss, norm=norm, rows=step.size, seconds=now - before, waited=waited)
            before = now
            self._tick(f"training, epoch {course.epoch + 1}, loss {course.mean_loss:.4f}", course.done, self._total)
            self._after_step()
            if course.stopped:
                return
            before += time.perf_counter() - now

    def _step(self, step: Step) -> tuple[float, float]:
        """One optimiser step; the sum of its rows' losses, of all ranks, and the norm of the gradient."""
        done, gradients = self.course.done, self._gradients
        self._module.train()
        torch.manual_seed(_step_seed(self._config.seed, done, self._ranks.rank))
        gradients.zero()
        self._backward(step, gradients)
        self._ranks.sum(gradients.everything, doing=f"in step {done + 1:,}")
        loss = float(gradients.sums[0])
        if not np.isfinite(loss):
            raise TrainingError(f"the loss is {loss} at step {done + 1:,}; lower --learning-rate")
        norm = gradients.clip(self._config.clip)
        if not np.isfinite(norm):
            raise TrainingError(f"the gradient is {norm} at step {done + 1:,}; lower --learning-rate")
        self._optimizer.step(done)
        return loss, norm

    def _after_step(self) -> None:
        """Write a line, end the epoch, validate and save, where it is time to."""
        course, per_epoch = self.course, self._steps.per_epoch
        ends, is_end = course.done % per_epoch == 0, course.done == self._total
        if self._saving is not None:
            self._saving.log(course, self._optimizer.learning_rate(course.done - 1), total=self._total)
        validates = self._validating is not None and (
            is_end or (course.done % self._validating.every == 0 if self._validating.every else ends)
        )
        if validates:
            self._validate()
        if ends or course.stopped:
            course.end_epoch()
        is_last = course.stopped or is_end
        if (
            self._saving is not None
            and self._ranks.is_first
            and (validates or is_last or self._saving.is_due(course.done))
        ):
            self._saving.save(self._checkpoint(), course)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            model=model_tensors(self._module), optimizer=self._optimizer.state(), state=self.course.state()
        )

    def _validate(self) -> None:
        assert self._validating is not None, "asked only where there is one"
        course = self.course
        figures = self._validating.judge(self._model, self._ranks)
        course.judge(figures, by=self._validating.by, patience=self._validating.patience)
        if self._saving is not None:
            self._saving.log_validation(course, figures)

    def _place_best(self, best: Best) -> None:
        """Take the weights of the best checkpoint, where there are checkpoints; else the last ones stay."""
        if self._saving is None:
            return
        checkpoint = self._saving.checkpoints.read(best.step)
        if checkpoint is None:
            raise TrainingError(
                f"the best checkpoint, {self._saving.checkpoints.place(best.step)}, is damaged; remove the checkpoints "
                "from there on and run the same command again"
            )
        self._place(checkpoint.model)


def _course(state: dict[str, Any]) -> TrainState:
    try:
        return TrainState.of(state)
    except (KeyError, TypeError) as error:
        raise TrainingError(
            f"the checkpoint was written by another version of this program ({error!r}); go on with that one, or name "
            "a new folder with --out"
        ) from None


def _step_seed(seed: int, step: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))
