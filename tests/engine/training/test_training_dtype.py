"""The arithmetic of a training: as asked, as the run began, or on a CPU the one that is faster."""

import dataclasses
import time

import numpy as np
import pytest
import torch
from families import classifier, make
from made_up_steps import MadeUpSteps, run

import engine.compute.device
import engine.training.dtype_choice
from engine.compute.layers.linear import product
from engine.errors import TrainingError
from engine.training.distributed import Ranks
from engine.training.loop import LoopConfig, Objective, Training
from engine.training.loss import cross_entropy
from engine.training.micro_batches import MicroBatches
from engine.training.output.checkpoint import Checkpoints, model_tensors
from engine.training.output.saving import Saving, SavingConfig

CPU = torch.device("cpu")
ALONE = Ranks(rank=0, count=1, device=CPU)
LARGE = {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1}


def training(folder=None, *, ranks=ALONE, size=LARGE, **changes):
    config = LoopConfig(**{"epochs": 1, "batch_size": 4, "learning_rate": 1e-3, **changes})
    objective = Objective(
        model=classifier(make("Bert", **size)), steps=MadeUpSteps(rows=24), loss=cross_entropy, config=config
    )
    saving = None
    if folder is not None:
        saving = Saving(folder, SavingConfig(every_steps=1), Checkpoints(folder / "checkpoints", keep=99))
    return Training(objective, ranks=ranks, saving=saving, validation=None, tick=lambda *_: None)


def by_counting(monkeypatch, *, seconds):
    """A clock that counts micro-batches, of which one in fp32 takes 1; the dtypes of all that are computed."""
    now, dtypes = [0.0], []
    computed = MicroBatches._micro_batch

    def micro_batch(self, step, part, targets):
        now[0] += seconds if self.dtype == "bf16" else 1.0
        dtypes.append(self.dtype)
        return computed(self, step, part, targets)

    class Clock:
        perf_counter = staticmethod(lambda: now[0])

    monkeypatch.setattr(MicroBatches, "_micro_batch", micro_batch)
    monkeypatch.setattr(engine.training.dtype_choice, "time", Clock)
    monkeypatch.setattr(engine.training.dtype_choice, "LEAST_STEPS", 6)
    return dtypes


@pytest.fixture
def quick_half(monkeypatch):
    """bf16 takes a fourth of the time, by a clock that counts micro-batches."""
    by_counting(monkeypatch, seconds=0.25)


def slow_half(monkeypatch):
    monkeypatch.setattr(engine.training.dtype_choice, "time", time)
    monkeypatch.setattr(engine.training.dtype_choice, "_GAIN", 1e9)


def test_products_in_bf16_train_nearly_as_those_in_fp32():
    size = {**LARGE, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # bf16 drops other weights
    whole, half = (training(size=size, dtype=dtype, epochs=3) for dtype in ("fp32", "bf16"))
    before = {name: tensor.detach().clone() for name, tensor in model_tensors(half._module).items()}
    ours, exact = run(half), run(whole)
    assert {tensor.dtype for name, tensor in ours.items() if tensor.is_floating_point()} == {torch.float32}
    assert not all(torch.equal(ours[name], tensor) for name, tensor in exact.items())
    assert half.state.reports[-1].loss == pytest.approx(whole.state.reports[-1].loss, rel=0.05)
    moved = sum(float((tensor - before[name]).square().sum()) for name, tensor in exact.items())
    apart = sum(float((tensor - ours[name]).square().sum()) for name, tensor in exact.items())
    assert apart < 0.1 * moved


def test_products_of_our_layers_are_in_bf16():
    """Autocast does not know those of oneDNN that we call ourselves."""
    x, weight = torch.randn(5, 256), torch.randn(512, 256, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert product(x, weight, None).dtype == torch.bfloat16


@pytest.mark.usefixtures("quick_half")
def test_the_faster_one_is_taken_and_a_resumed_run_goes_on_in_it(tmp_path, monkeypatch):
    """To the last bit, and on a machine that would have chosen otherwise, too."""
    first = training(tmp_path)
    expected = run(first)
    assert first.state.dtype == "bf16"
    slow_half(monkeypatch)
    for step in (5, 6):
        (tmp_path / f"checkpoints/0000000{step}").rename(tmp_path / f"gone{step}")
    found = run(training(tmp_path))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    other = training()
    run(other)
    assert other.state.dtype == "fp32"


@pytest.mark.usefixtures("quick_half")
def test_the_trial_changes_nothing_of_the_training():
    tried, told = training(), training(dtype="bf16")
    ours, theirs = run(tried), run(told)
    assert tried.state.dtype == told.state.dtype == "bf16"
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


@pytest.fixture
def without_bf16(monkeypatch):
    """A processor that lacks it, of which nothing was said yet."""
    for module in (engine.compute.device, engine.training.dtype_choice):
        monkeypatch.setattr(module, "lacks", lambda dtype: dtype == "bf16")
    monkeypatch.setattr(engine.compute.device, "_warned_of", set())


@pytest.mark.usefixtures("without_bf16")
@pytest.mark.parametrize(
    ("seconds", "expected", "tried"),
    [(6.0, "fp32", 2), (2.0, "fp32", 2 + 4), (0.5, "bf16", 2 + 4)],  # a few rows are prepared and timed before
)
def test_bf16_that_the_processor_lacks_is_given_up_after_a_few_rows(monkeypatch, caplog, seconds, expected, tried):
    caplog.set_level("INFO", logger="engine.training.dtype_choice")
    dtypes = by_counting(monkeypatch, seconds=seconds)
    made = training()
    made.resume()
    assert (made.state.dtype, dtypes.count("bf16"), dtypes.count("fp32")) == (expected, tried, tried)
    assert ("bf16 is given up: 4 rows take 6 s, and 1 s in fp32" in caplog.text) == (tried == 2)
    assert "no products" not in caplog.text


def test_nobody_looks_before_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(engine.training.dtype_choice, "lacks", lambda _: False)
    dtypes = by_counting(monkeypatch, seconds=6.0)
    made = training()
    made.resume()
    assert (made.state.dtype, dtypes.count("bf16")) == ("fp32", 4)


@pytest.mark.usefixtures("without_bf16")
def test_a_rank_that_gives_it_up_does_so_for_all(monkeypatch):
    """Before the others compute steps whose answer is known."""
    dtypes = by_counting(monkeypatch, seconds=2.0)
    made = training()
    chosen = engine.training.dtype_choice.choose_dtype(
        made._backward,
        made._module,
        made._gradients,
        made._steps,
        BesideHopeless(rank=0, count=2, device=CPU),
        total=made._total,
        state=made.state,
    )
    assert (chosen, dtypes.count("bf16")) == ("fp32", 2)


@pytest.mark.usefixtures("without_bf16")
def test_a_rank_without_rows_has_no_opinion(monkeypatch):
    dtypes = by_counting(monkeypatch, seconds=6.0)
    made = training()
    none = dataclasses.replace(next(made._steps.epoch(0, 0)), rows=np.arange(0), targets={"label": np.arange(0)})
    assert not engine.training.dtype_choice._is_hopeless(made._backward, made._gradients, none)
    assert dtypes == []


@pytest.mark.usefixtures("quick_half")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dtype": "fp32"}, "fp32"),
        ({"dtype": "bf16"}, "bf16"),
        ({"batch_size": 12}, "bf16"),
        ({"size": {}}, "fp32"),
        ({"epochs": 2}, "bf16"),
    ],
)
def test_it_is_measured_only_where_that_pays(changes, expected):
    made = training(**changes)
    made.resume()
    assert made.state.dtype == expected


def test_epochs_of_one_step_are_measured_too(monkeypatch):
    slow_half(monkeypatch)
    monkeypatch.setattr(engine.training.dtype_choice, "LEAST_STEPS", 6)
    made = training(batch_size=24, epochs=6)
    made.resume()
    assert made.state.dtype == "fp32"


def test_a_short_training_is_in_fp32():
    made = training()
    made.resume()
    assert made.state.dtype == "fp32"


@pytest.mark.usefixtures("quick_half")
def test_a_run_of_an_earlier_version_goes_on_in_fp32():
    made = training()
    made.state.done = 3
    made.resume()
    assert made.state.dtype == "fp32"


@pytest.mark.parametrize(("dtype", "expected"), [("fp32", "fp32"), ("bf16", "bf16"), (None, "bf16")])
def test_a_run_that_moves_to_a_gpu_goes_on_in_its_dtype(dtype, expected):
    made = training()
    made.state.done, made.state.dtype = 3, dtype
    chosen = engine.training.dtype_choice.choose_dtype(
        made._backward,
        made._module,
        made._gradients,
        made._steps,
        Ranks(rank=0, count=1, device=torch.device("cuda")),
        total=made._total,
        state=made.state,
    )
    assert chosen == expected


@dataclasses.dataclass(frozen=True, kw_only=True)
class BesideSlow(Ranks):
    """The first of two ranks; the other one is not faster in bf16."""

    def sum(self, tensor, *, doing, patient=False):
        if tensor.ndim == 1 and tensor[0] != 1:
            tensor[1] = tensor[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BesideHopeless(Ranks):
    """The first of two ranks; the other one gives bf16 up."""

    def sum(self, tensor, *, doing, patient=False):
        tensor[1] = 1


@pytest.mark.usefixtures("quick_half")
def test_all_ranks_choose_the_same():
    made = training(ranks=BesideSlow(rank=0, count=2, device=CPU))
    made.resume()
    assert made.state.dtype == "fp32"


@pytest.mark.usefixtures("without_bf16")
def test_bf16_that_the_processor_lacks_is_warned_of_once_if_nobody_measured_it(tmp_path, monkeypatch, caplog):
    said = "takes 5 to 13 times as long). The training keeps it; --dtype auto takes what is faster, with another --out"
    training().resume()
    assert "no products" not in caplog.text
    run(training(tmp_path, dtype="bf16"))
    run(training(dtype="bf16"))
    assert caplog.text.count(said) == 1
    caplog.clear()
    monkeypatch.setattr(engine.compute.device, "_warned_of", set())
    (tmp_path / "checkpoints/00000006").rename(tmp_path / "gone")
    run(training(tmp_path))
    assert caplog.text.count(said) == 1


def test_another_dtype_is_refused():
    with pytest.raises(TrainingError, match="--dtype is 'fp16'; it is one of fp32, bf16"):
        LoopConfig(dtype="fp16")


@pytest.mark.parametrize(("given", "budgets"), [(None, (2048, 4096)), (512, (512, 512))])
def test_micro_batches_in_bf16_are_larger_unless_their_size_is_given(given, budgets):
    backward = training(tokens_per_batch=given, dtype="fp32")._backward
    found = [backward.budget]
    backward.dtype = "bf16"
    found.append(backward.budget)
    assert tuple(found) == budgets
