"""The lines of a training: which are written, which a resume drops, and where they go beside the file."""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
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
from engine.training.output.checkpoint import Checkpoints
from engine.training.output.metrics_log import METRICS, MetricsLog, lines_apart, tensorboard_writer
from engine.training.output.saving import Saving, SavingConfig
from engine.training.state import TrainState
from engine.training.validation import Validation, ValidationConfig


def lines(folder):
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


def line(step):
    return {"step": step, "epoch": 1 + step // 10, "loss": 1 / (step + 3)}


def written(folder, *steps):
    history = MetricsLog(folder, report_to="none", step=0)
    for step in steps:
        history.add(line(step))
    history.close()


def test_lines_are_written_at_once_and_read_back_exactly(tmp_path):
    history = MetricsLog(tmp_path, report_to="none", step=0)
    history.add(line(1))
    assert lines(tmp_path) == [line(1)]
    history.add(line(2))
    assert lines(tmp_path) == [line(1), line(2)]
    history.close()
    assert [path.name for path in tmp_path.iterdir()] == [METRICS]


@pytest.mark.parametrize(("step", "kept"), [(0, []), (2, [1, 2, 2]), (4, [1, 2, 2]), (9, [1, 2, 2, 5, 9])])
def test_lines_behind_the_step_of_a_resume_are_dropped(tmp_path, step, kept):
    """A step may have two: of its loss and of its validation."""
    written(tmp_path, 1, 2, 2, 5, 9)
    history = MetricsLog(tmp_path, report_to="none", step=step)
    assert lines(tmp_path) == [line(each) for each in kept]
    history.add(line(step + 1))
    history.close()
    assert lines(tmp_path) == [line(each) for each in (*kept, step + 1)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_line_that_a_kill_has_cut_is_dropped(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("torn")
    written(folder, 1, 2, 3)
    whole = (folder / METRICS).read_bytes()
    begin = whole.rindex(b'{"step": 3')
    kept = data.draw(st.integers(begin, len(whole) - 1), label="bytes that are left")
    (folder / METRICS).write_bytes(whole[:kept])
    history = MetricsLog(folder, report_to="none", step=9)
    history.add(line(4))
    history.close()
    assert lines(folder) in ([line(1), line(2), line(4)], [line(1), line(2), line(3), line(4)])
    assert len(lines(folder)) == (4 if kept == len(whole) - 1 else 3)


@pytest.mark.parametrize("litter", [b'{"loss": 1}\n', b"7\n", b"[]\n"])
def test_lines_of_another_kind_are_dropped(tmp_path, litter):
    written(tmp_path, 1)
    with (tmp_path / METRICS).open("ab") as file:
        file.write(litter)
    MetricsLog(tmp_path, report_to="none", step=5).close()
    assert lines(tmp_path) == [line(1)]


def test_a_file_that_is_not_there_is_begun(tmp_path):
    MetricsLog(tmp_path, report_to="none", step=7).close()
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    ("steps", "apart"),
    [(1, 1), (10_000, 1), (10_001, 2), (20_000, 2), (20_001, 3), (1_000_000, 100), (10**9, 10**5)],
)
def test_each_step_has_a_line_but_where_there_are_very_many(steps, apart):
    assert lines_apart(steps) == apart
    assert -(-steps // apart) <= 10_000


# what a training writes


def taken(state, steps=1):
    for _ in range(steps):
        state.add(loss=6.0, norm=0.5, rows=4, seconds=0.25, waited=0.1)


def saving(folder, **config):
    return Saving(folder, SavingConfig(**config), Checkpoints(folder / "checkpoints", keep=1))


def test_a_line_is_the_mean_of_the_rows_since_the_line_before(tmp_path):
    made, state = saving(tmp_path), TrainState()
    made.begin(0, first=True)
    total = 25_001  # lines are 3 steps apart
    for step in range(1, 8):
        state.add(loss=2.0 * step, norm=step, rows=4, seconds=0.5, waited=0.0)
        if made.is_line_due(step, total=total):
            made.log(state, learning_rate=1e-3 / step)
    made.end()
    assert [entry["step"] for entry in lines(tmp_path)] == [3, 6]
    assert [entry["loss"] for entry in lines(tmp_path)] == [1.0, 2.5]
    assert [entry["gradient_norm"] for entry in lines(tmp_path)] == [3, 6]
    assert [entry["learning_rate"] for entry in lines(tmp_path)] == [1e-3 / 3, 1e-3 / 6]
    assert [(entry["rows"], entry["rows_per_second"]) for entry in lines(tmp_path)] == [(12, 8.0), (12, 8.0)]


def test_the_last_step_has_a_line(tmp_path):
    made, state = saving(tmp_path), TrainState(done=24_999)
    made.begin(0, first=True)
    for _ in range(2):
        taken(state)
        if made.is_line_due(state.done, total=25_001):
            made.log(state, learning_rate=1e-3)
    made.end()
    assert [(entry["step"], entry["rows"]) for entry in lines(tmp_path)] == [(25_000 + 1, 8)]


def test_only_the_first_rank_writes(tmp_path):
    made, state = saving(tmp_path), TrainState()
    made.begin(0, first=False)
    taken(state)
    made.log(state, learning_rate=1e-3)
    made.log_validation(state, {"accuracy": 0.5})
    made.end()
    assert list(tmp_path.iterdir()) == []


def trained(folder, *, epochs=2, every=None):
    """A training with a line for each step and figures that a fake measure gives; its state."""
    model = classifier(make("Bert", num_hidden_layers=1))
    config = LoopConfig(epochs=epochs, batch_size=4, learning_rate=1e-3)
    objective = Objective(model=model, steps=MadeUpSteps(), loss=cross_entropy, config=config)
    validation = Validation(measure=lambda *_: {"accuracy": 0.5, "log_loss": 1.0}, config=ValidationConfig(every=every))
    made = saving(folder)
    state = fit(objective, ranks=Ranks(rank=0, count=1, device=torch.device("cpu")), saving=made, validation=validation)
    made.end()
    return state


def test_a_training_writes_a_line_for_each_step_and_each_validation(tmp_path):
    state = trained(tmp_path)
    losses = [entry for entry in lines(tmp_path) if "loss" in entry]
    validations = [entry for entry in lines(tmp_path) if "loss" not in entry]
    assert [(entry["step"], entry["epoch"]) for entry in losses] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    assert all(
        set(entry) == {"step", "epoch", "loss", "learning_rate", "gradient_norm", "rows", "rows_per_second"}
        for entry in losses
    )
    assert [entry["step"] for entry in validations] == [3, 6]
    assert all(
        {name: entry[name] for name in set(entry) - {"step", "epoch"}}
        == {"validation_accuracy": 0.5, "validation_log_loss": 1.0}
        for entry in validations
    )
    for report, first in zip(state.reports, (0, 3), strict=True):
        assert report.loss == pytest.approx(np.mean([entry["loss"] for entry in losses[first : first + 3]]))


@pytest.mark.parametrize(("every", "steps"), [(None, [3, 6]), (2, [2, 4, 6])])
def test_a_validation_is_of_the_epoch_of_the_step_that_it_follows(tmp_path, every, steps):
    trained(tmp_path, every=every)
    epochs = {entry["step"]: entry["epoch"] for entry in lines(tmp_path) if "loss" in entry}
    validated = {entry["step"]: entry["epoch"] for entry in lines(tmp_path) if "loss" not in entry}
    assert validated == {step: epochs[step] for step in steps}


# TensorBoard


@pytest.fixture
def without_tensorboard(monkeypatch):
    """As where the package is not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)


def test_a_missing_package_is_named_before_anything_is_touched(tmp_path, without_tensorboard):
    written(tmp_path, 1, 2)
    with pytest.raises(TrainingError, match=r"--report-to tensorboard needs the package tensorboard: pip install '"):
        MetricsLog(tmp_path, report_to="tensorboard", step=1)
    assert lines(tmp_path) == [line(1), line(2)]


def test_the_remedy_for_a_missing_package_is_one(without_tensorboard):
    """What the message says to install is an extra that this package has, and it brings tensorboard."""
    with pytest.raises(TrainingError) as refused:
        tensorboard_writer("tensorboard")
    extra = re.search(r"softlabel-engine\[(\w+)\]", str(refused.value))
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())["project"]
    assert extra is not None
    assert any(need.startswith("tensorboard") for need in project["optional-dependencies"].get(extra[1], []))


def test_no_package_is_needed_where_none_is_asked(without_tensorboard):
    assert tensorboard_writer("none") is None


def test_a_place_to_report_to_that_is_not_known_is_refused():
    with pytest.raises(TrainingError, match=r"--report-to is 'wandb'; it is none or tensorboard"):
        SavingConfig(report_to="wandb")


def test_tensorboard_shows_every_figure_and_drops_what_a_killed_run_wrote_later(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for resumed, steps in ((0, (1, 2, 3, 4)), (2, (3,))):
        history = MetricsLog(tmp_path, report_to="tensorboard", step=resumed)
        for step in steps:
            history.add({"step": step, "epoch": 1, "loss": step + resumed / 10, "rows": 4})
        history.close()
    shown = EventAccumulator(str(tmp_path / "tensorboard"))
    shown.Reload()
    assert sorted(shown.Tags()["scalars"]) == ["loss", "rows"]
    found = [(event.step, event.value) for event in shown.Scalars("loss")]
    assert found == [(1, 1.0), (2, 2.0), (3, pytest.approx(3.2))]
    assert [entry["step"] for entry in lines(tmp_path)] == [1, 2, 3]
