"""A step's number → the work that follows it: a line of metrics, a validation, the end of the epoch, a checkpoint."""

from dataclasses import dataclass

from engine.training.output.saving import Saving
from engine.training.validation import Validation


@dataclass(frozen=True, kw_only=True)
class Due:
    """The work that follows a step, in this order.

    Attributes:
        log: write a line of metrics.
        validate: compute the validation figures.
        epoch_end: report the epoch.
        save: write a checkpoint.
    """

    log: bool
    validate: bool
    epoch_end: bool
    save: bool


def due_after(
    done: int, *, per_epoch: int, total: int, saving: Saving | None, validation: Validation | None, is_first: bool
) -> Due:
    """The work that follows step ``done``.

    Every validated state is saved, so that the best one can be restored; the last one is validated and saved.

    Args:
        done: steps taken, of all epochs; at least 1.
        per_epoch: steps of an epoch.
        total: steps of all epochs.
        saving: None if nothing is written.
        validation: None if nothing is validated.
        is_first: whether this is the rank that writes checkpoints.
    """
    is_last, epoch_end = done == total, done % per_epoch == 0
    validate = validation is not None and (is_last or validation.is_due(done, epoch_end=epoch_end))
    if saving is None:
        return Due(log=False, validate=validate, epoch_end=epoch_end, save=False)
    return Due(
        log=saving.is_line_due(done, total=total),
        validate=validate,
        epoch_end=epoch_end,
        save=is_first and (validate or is_last or saving.is_checkpoint_due(done)),
    )
