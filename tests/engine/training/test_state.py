"""Where a training is: kept in JSON without loss, judged by its figures, and stopped where it gets no better."""

import json
import math
import time

import pytest
import torch
from families import classifier, make
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_steps import MadeUpSteps

from engine.errors import TrainingError
from engine.training.distributed import Ranks
from engine.training.loop import LoopConfig, Objective, fit
from engine.training.loss import cross_entropy
from engine.training.output.checkpoint import Checkpoint, Checkpoints, model_tensors
from engine.training.output.saving import Saving, SavingConfig
from engine.training.state import Best, EpochReport, TrainState
from engine.training.validation import Validation, ValidationConfig

ALONE = Ranks(rank=0, count=1, device=torch.device("cpu"))
floats = st.floats(allow_nan=False)
counts = st.integers(0, 2**53)
figures = st.dictionaries(st.sampled_from(["accuracy", "macro_f1", "log_loss", "ece"]), floats)
steps_taken = st.lists(
    st.fixed_dictionaries({"loss": floats, "norm": floats, "rows": counts, "seconds": floats, "waited": floats}),
    max_size=6,
)


def through_json(state):
    return TrainState.from_json(json.loads(json.dumps(state.to_json())))


@settings(max_examples=150, deadline=None)
@given(
    steps=steps_taken,
    reports=st.lists(
        st.builds(EpochReport, epoch=counts, loss=floats, rows=counts, seconds=floats, waited=floats), max_size=3
    ),
    best=st.none() | st.builds(Best, step=counts, figures=figures),
    worse=counts,
    stopped=st.booleans(),
    epoch=counts,
)
def test_a_state_is_the_same_through_json(steps, reports, best, worse, stopped, epoch):
    """To the last bit of every number."""
    state = TrainState(epoch=epoch, reports=reports, best=best, worse=worse, stopped=stopped)
    for number, step in enumerate(steps):
        state.add(**step)
        if number == 1:
            state.take_line()  # as `Saving.log`
    assert repr(through_json(state)) == repr(state)


def test_a_state_goes_on_from_json_as_it_would_have_gone_on():
    states = [TrainState(), TrainState()]
    for number in range(20):
        states[1] = through_json(states[1])
        for state in states:
            state.add(loss=0.1 * number, norm=1 / (number + 1), rows=3, seconds=0.1, waited=0.01)
            if number % 7 == 6:
                state.end_epoch()
                state.add_validation({"log_loss": abs(number - 13.0), "accuracy": 0.5}, by="log_loss", patience=5)
    assert states[0] == states[1]
    assert states[0].best == Best(step=14, figures={"log_loss": 0.0, "accuracy": 0.5})


def test_a_state_of_another_time_is_not_taken_for_one():
    for raw in (
        {**TrainState().to_json(), "more": 1},
        {name: value for name, value in TrainState().to_json().items() if name != "best"},
    ):
        with pytest.raises(TrainingError, match="written by another version of this program"):
            TrainState.from_json(raw)


def test_the_loss_of_an_epoch_is_that_of_its_rows():
    state = TrainState()
    assert state.mean_loss == 0
    state.add(loss=6.0, norm=1.0, rows=4, seconds=0.5, waited=0.125)
    state.add(loss=1.0, norm=2.0, rows=1, seconds=0.25, waited=0.0)
    assert (state.done, state.norm, state.mean_loss) == (2, 2.0, 1.4)
    state.end_epoch()
    assert state.reports == [EpochReport(epoch=1, loss=1.4, rows=5, seconds=0.75, waited=0.125)]
    assert (state.epoch, state.done, state.mean_loss) == (1, 2, 0)
    state.add(loss=3.0, norm=1.0, rows=1, seconds=1.0, waited=0.0)
    state.end_epoch()
    assert [(report.epoch, report.loss, report.rows) for report in state.reports] == [(1, 1.4, 5), (2, 3.0, 1)]


# the best state


def judged(values, *, by, patience=None):
    """A state that was validated at each step; it goes on until it stops."""
    state = TrainState()
    for value in values:
        if state.stopped:
            break
        state.add(loss=1.0, norm=1.0, rows=1, seconds=1.0, waited=0.0)
        state.add_validation({by: value, "other": -value}, by=by, patience=patience)
    return state


@pytest.mark.parametrize(
    ("by", "values", "best", "worse"),
    [
        ("accuracy", [0.5], 1, 0),
        ("accuracy", [0.5, 0.7, 0.6, 0.9, 0.1], 4, 1),
        ("accuracy", [0.5, 0.5, 0.5], 1, 2),
        ("macro_f1", [0.1, 0.0, 0.3], 3, 0),
        ("log_loss", [0.5, 0.7, 0.4, 0.9, 0.5], 3, 2),
        ("log_loss", [0.5, 0.5, 0.6], 1, 2),
        ("log_loss", [math.inf, 3.0, math.inf], 2, 1),
    ],
)
def test_the_best_state_is_the_first_of_the_best_figures(by, values, best, worse):
    state = judged(values, by=by)
    assert state.best == Best(step=best, figures={by: values[best - 1], "other": -values[best - 1]})
    assert (state.worse, state.stopped) == (worse, False)


@pytest.mark.parametrize("by", ["accuracy", "log_loss"])
def test_a_figure_that_is_no_number_is_never_the_best(by):
    """Else no later one could be better."""
    assert judged([math.nan, 0.5, math.nan], by=by).best.step == 2


@pytest.mark.parametrize(
    ("values", "patience", "stops_at"),
    [
        ([0.5, 0.4], 1, 2),
        ([0.5, 0.6, 0.6], 1, 3),
        ([0.5, 0.4, 0.6, 0.5, 0.4, 0.9], 2, 5),
        ([0.5, 0.4, 0.3, 0.6, 0.5, 0.4, 0.3, 0.9], 3, 7),
        ([0.5, 0.4, 0.3, 0.6, 0.5, 0.4, 0.7], 3, None),
        ([0.5, 0.4, 0.3, 0.2, 0.1], None, None),
    ],
)
def test_patience_counts_those_in_a_row_that_are_not_better(values, patience, stops_at):
    state = judged(values, by="accuracy", patience=patience)
    assert (state.stopped, state.done) == (stops_at is not None, stops_at or len(values))
    lower_is_better = judged([1 - value for value in values], by="log_loss", patience=patience)
    assert (lower_is_better.stopped, lower_is_better.done) == (state.stopped, state.done)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.integers(0, 5), min_size=1, max_size=12), patience=st.integers(1, 4))
def test_patience_is_as_the_words_say(values, patience):
    state = judged(values, by="accuracy", patience=patience)
    seen = values[: state.done]
    assert state.best.step == seen.index(max(seen)) + 1
    assert state.worse == len(seen) - state.best.step
    assert state.stopped == (state.worse >= patience)
    assert state.stopped or state.done == len(values)


class Judge:
    """A judge that has made up its mind: an accuracy for each time that it is asked; keeps what it was shown."""

    def __init__(self, *accuracies):
        self._accuracies = list(accuracies)
        self.shown = []

    def __call__(self, model, _ranks):
        model.module.eval()
        self.shown.append({name: tensor.clone() for name, tensor in model_tensors(model.module).items()})
        return {"accuracy": self._accuracies.pop(0)}


def trained(folder, judge, *, epochs, keep=1, patience=None):
    model = classifier(make("Bert", num_hidden_layers=1))
    config = LoopConfig(epochs=epochs, batch_size=4, learning_rate=1e-3)
    saving = Saving(folder, SavingConfig(keep=keep), Checkpoints(folder / "checkpoints", keep=keep))
    validation = Validation(measure=judge, config=ValidationConfig(patience=patience))
    objective = Objective(model=model, steps=MadeUpSteps(), loss=cross_entropy, config=config)
    try:
        return fit(objective, ranks=ALONE, saving=saving, validation=validation), model.module
    finally:
        saving.end()


def equal(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_the_result_is_the_best_state_though_others_came_later(tmp_path):
    judge = Judge(0.5, 0.9, 0.1, 0.2, 0.3)
    state, module = trained(tmp_path, judge, epochs=5)
    assert (state.done, state.best.step, state.stopped) == (15, 6, False)
    assert Checkpoints(tmp_path / "checkpoints", keep=1).steps() == [6, 15]
    assert equal(model_tensors(module), judge.shown[1])
    assert not equal(model_tensors(module), judge.shown[4])
    assert not module.training


def test_patience_ends_a_training_which_then_stays_ended(tmp_path):
    judge = Judge(0.5, 0.9, 0.1, 0.2)
    state, module = trained(tmp_path, judge, epochs=50, patience=2)
    assert (state.done, state.best.step, state.stopped) == (12, 6, True)
    assert len(state.reports) == 4
    again, module_again = trained(tmp_path, Judge(), epochs=50, patience=2)
    assert again == state
    assert equal(model_tensors(module_again), judge.shown[1])
    assert equal(model_tensors(module), judge.shown[1])


def test_a_best_checkpoint_that_is_damaged_is_no_result(tmp_path):
    trained(tmp_path, Judge(0.9, 0.1), epochs=2)
    (tmp_path / "checkpoints" / "00000003" / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        TrainingError, match=r"the best checkpoint, .*00000003, is damaged; remove the checkpoints from"
    ):
        trained(tmp_path, Judge(), epochs=2)


# when checkpoints are due


def saving_in(folder, **config):
    made = Saving(folder, SavingConfig(**config), Checkpoints(folder / "checkpoints", keep=2))
    made.begin(0, first=True)
    return made


def test_by_steps_a_checkpoint_is_due_at_each_multiple(tmp_path):
    made = saving_in(tmp_path, every_steps=3, every_seconds=1e-9)
    assert [step for step in range(1, 10) if made.is_checkpoint_due(step)] == [3, 6, 9]
    made.end()


def test_by_time_a_checkpoint_is_due_when_it_is_over_since_the_last(tmp_path):
    made = saving_in(tmp_path, every_seconds=0.5)
    assert not made.is_checkpoint_due(1)
    time.sleep(0.51)
    assert made.is_checkpoint_due(2)
    made.save(Checkpoint(model={}, optimizer={}, state={}), TrainState(done=2))
    assert not made.is_checkpoint_due(3)
    assert made.checkpoints.steps() == [2]
    made.end()


def test_only_the_first_rank_sweeps(tmp_path):
    left = tmp_path / "checkpoints" / ".unfinished-00000010"
    left.mkdir(parents=True)
    for first in (False, True):
        made = Saving(tmp_path, SavingConfig(), Checkpoints(tmp_path / "checkpoints", keep=2))
        made.begin(0, first=first)
        made.end()
        assert left.exists() == (not first)


# settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": 0}, "--keep is 0; at least the last checkpoint must stay"),
        ({"keep": -1}, "--keep is -1; at least the last checkpoint must stay"),
        ({"every_steps": 0}, "--checkpoint-every must be at least one step, or more than no time"),
        ({"every_steps": -5}, "--checkpoint-every must be at least one step, or more than no time"),
        ({"every_seconds": 0.0}, "--checkpoint-every must be at least one step, or more than no time"),
        ({"every_seconds": -1.0}, "--checkpoint-every must be at least one step, or more than no time"),
    ],
)
def test_savings_that_keep_nothing_are_refused(changes, message):
    with pytest.raises(TrainingError) as refused:
        SavingConfig(**changes)
    assert str(refused.value) == message


def test_a_figure_that_is_not_known_cannot_decide():
    with pytest.raises(TrainingError, match="--best-by is 'loss'; it is one of accuracy, macro_f1, log_loss"):
        ValidationConfig(by="loss")


@pytest.mark.parametrize("changes", [{"by": "loss"}, {"every": 0}, {"every": -1}, {"patience": 0}, {"patience": -1}])
def test_validations_that_make_no_sense_are_refused_when_they_are_asked(changes):
    """Before a folder is begun with them, which would then hold a run that nobody can go on with."""
    with pytest.raises(TrainingError):
        ValidationConfig(inputs=("gold.parquet",), **changes)
