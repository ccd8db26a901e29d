"""The work that follows each step: lines, validations, epochs and checkpoints, by a table and for any numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.due import Due, due_after
from engine.training.output.checkpoint import Checkpoints
from engine.training.output.saving import Saving, SavingConfig
from engine.training.validation import Validation, ValidationConfig


def saving_in(folder, **config):
    return Saving(folder, SavingConfig(**{"every_steps": 1_000, **config}), Checkpoints(folder / "checkpoints", keep=1))


def validation(every=None):
    return Validation(measure=lambda *_: {"accuracy": 0.5}, config=ValidationConfig(every=every))


def steps_of(name, dues):
    return [done for done, due in dues.items() if getattr(due, name)]


def all_dues(*, per_epoch=3, total=6, saving=None, validation=None, is_first=True):
    return {
        done: due_after(done, per_epoch=per_epoch, total=total, saving=saving, validation=validation, is_first=is_first)
        for done in range(1, total + 1)
    }


@pytest.mark.parametrize(
    ("every", "validated"),
    [(None, [3, 6]), (1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (4, [4, 6]), (100, [6])],
)
def test_every_validated_state_is_saved_and_the_last_one_is_validated(tmp_path, every, validated):
    dues = all_dues(saving=saving_in(tmp_path), validation=validation(every))
    assert steps_of("validate", dues) == steps_of("save", dues) == validated
    assert steps_of("epoch_end", dues) == [3, 6]
    assert steps_of("log", dues) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("every_steps", "saved"), [(1, [1, 2, 3, 4, 5, 6]), (4, [4, 6]), (100, [6])])
def test_checkpoints_are_due_by_steps_and_at_the_end(tmp_path, every_steps, saved):
    assert steps_of("save", all_dues(saving=saving_in(tmp_path, every_steps=every_steps))) == saved


def test_other_ranks_validate_and_count_lines_but_save_nothing(tmp_path):
    arguments = {"saving": saving_in(tmp_path, every_steps=1), "validation": validation()}
    first, other = all_dues(**arguments), all_dues(**arguments, is_first=False)
    for name in ("log", "validate", "epoch_end"):
        assert steps_of(name, first) == steps_of(name, other)
    assert steps_of("save", other) == []


def test_without_saving_and_validation_only_epochs_end():
    assert set(all_dues().values()) == {Due(log=False, validate=False, epoch_end=ends, save=False) for ends in (0, 1)}


@settings(max_examples=60, deadline=None)
@given(per_epoch=st.integers(1, 7), epochs=st.integers(1, 4), every=st.none() | st.integers(1, 9))
def test_each_epoch_ends_once_and_the_last_step_is_always_validated(per_epoch, epochs, every):
    dues = all_dues(per_epoch=per_epoch, total=per_epoch * epochs, validation=validation(every))
    assert len(steps_of("epoch_end", dues)) == epochs
    assert steps_of("validate", dues)[-1] == per_epoch * epochs
