"""Memory that runs out in training: smaller micro-batches, the same steps, and a resumed run that knows of it."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from families import classifier, make
from made_up_steps import MadeUpSteps, run

import engine.training.dtype_choice
import engine.training.micro_batches
from engine.compute.device import free_memory
from engine.errors import TrainingError
from engine.training.distributed import Ranks
from engine.training.loop import LoopConfig, Objective, Training
from engine.training.loss import cross_entropy
from engine.training.output.checkpoint import Checkpoints
from engine.training.output.saving import Saving, SavingConfig

CPU = torch.device("cpu")
ALONE = Ranks(rank=0, count=1, device=CPU)
CUDA_FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU_FULL = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to")


class TooManyRows:
    """A loss that runs out of memory on more than ``most`` rows, in the backward pass: the head has its gradient then."""

    def __init__(self, module, most, failure):
        self.most, self.failure, self.sizes = most, failure, []
        module.classifier.weight.register_post_accumulate_grad_hook(self._fail)

    def __call__(self, logits, targets):
        self.sizes.append(len(logits))
        return cross_entropy(logits, targets)

    def _fail(self, _parameter):
        if self.sizes[-1] > self.most:
            raise self.failure


def training(
    *, most=99, failure=CUDA_FULL, ranks=ALONE, folder=None, dropout=0.0, family="Bert", dtype=None, budget=256
):
    module = make(family, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout, num_labels=3)
    config = LoopConfig(epochs=2, batch_size=6, learning_rate=1e-3, tokens_per_batch=budget, dtype=dtype)
    steps = MadeUpSteps(rows=24, batch_size=6)
    loss = TooManyRows(module, most, failure)
    objective = Objective(model=classifier(module), steps=steps, loss=loss, config=config)
    checkpoints = None if folder is None else Checkpoints(folder / "checkpoints", keep=99)
    saving = checkpoints and Saving(folder, SavingConfig(every_steps=1), checkpoints)
    return Training(objective, ranks=ranks, saving=saving, validation=None, tick=lambda *_: None), loss


@pytest.mark.parametrize("failure", [CUDA_FULL, CPU_FULL], ids=["cuda", "cpu"])
def test_micro_batches_become_smaller_and_the_steps_stay_the_same(failure, caplog):
    enough, _ = training()
    expected = run(enough)
    caplog.set_level(logging.WARNING)
    small, loss = training(most=2, failure=failure)
    found = run(small)
    assert small.state.done == enough.state.done == 8
    for ours, theirs in zip(small.state.reports, enough.state.reports, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=1e-4)  # sums differ, by processor
    failed = sum(size > 2 for size in loss.sizes)
    assert 0 < failed == len(caplog.messages), "it is remembered"
    assert all("cpu ran out of memory on" in message for message in caplog.messages)
    assert max(loss.sizes[-8:]) <= 2
    assert small.state.budget < enough.state.budget == 256


def test_a_row_that_does_not_fit_is_told_with_the_remedy():
    made, _ = training(most=0)
    with pytest.raises(TrainingError, match=r"cpu ran out of memory on one row of \d+ tokens; lower --max-length"):
        run(made)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    made, loss = training(most=2, failure=RuntimeError("CUDA error: device-side assert triggered"))
    with pytest.raises(RuntimeError, match="device-side assert"):
        run(made)
    assert len(loss.sizes) == 1


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_resumed_run_cuts_its_batches_as_the_run_that_ran_out_of_memory(tmp_path, dtype):
    """To the last bit, and on a machine that has enough memory, too."""
    expected = run(training(most=2, folder=tmp_path, dropout=0.1, dtype=dtype)[0])
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=99)
    budgets = {checkpoints.read(step).state["budget"] for step in range(2, 9)}
    assert len(budgets) == 1
    for step in (7, 8):
        (tmp_path / f"checkpoints/0000000{step}").rename(tmp_path / f"gone{step}")
    found = run(training(folder=tmp_path, dropout=0.1, dtype=dtype)[0])
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    found = run(training(dropout=0.1, dtype=dtype)[0])
    assert not all(torch.equal(found[name], tensor) for name, tensor in expected.items()), "the budget changes bits"


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_no_batch_is_filled_up_beyond_what_fits(dtype):
    backward = training(dtype=dtype, budget=300)[0]._backward
    backward.budget = 47
    lengths = np.array([45, 46, 47, 60])
    with backward._products():
        sizes = [backward._forward.computed_tokens([np.array([row])], lengths) for row in range(4)]
    assert sizes == ([45, 46, 47, 60] if dtype == "fp32" else [46, 46, 47, 60])


def test_what_was_learned_when_memory_ran_out_holds_for_every_dtype_that_is_tried(caplog, monkeypatch):
    monkeypatch.setattr(engine.training.dtype_choice, "LEAST_STEPS", 1)
    monkeypatch.setattr(engine.training.dtype_choice, "LEAST_TRAINED", 0)
    monkeypatch.setattr(engine.training.micro_batches, "CPU_BUDGETS", {"fp32": 128, "bf16": 256})
    caplog.set_level(logging.WARNING)
    made, _ = training(most=2, budget=None)
    made.resume()
    assert len(caplog.messages) <= 4, "each halves what the one before left"
    assert made._backward.budget <= 128 >> len(caplog.messages) // 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beside(Ranks):
    """The first of two ranks; the other one, which has no rows, runs out of memory in the first step."""

    def sum(self, tensor, *, doing, patient=False):
        if tensor.dtype == torch.float32:
            tensor[-1] = 32
        elif tensor.ndim == 1:
            tensor[1] = tensor[0]


def test_all_ranks_take_the_smallest_budget():
    made, loss = training(ranks=Beside(rank=0, count=2, device=CPU))
    run(made)
    assert made.state.budget == 32
    assert loss.sizes[0] == 6 > max(loss.sizes[1:])


def test_free_memory_can_be_given_back():
    free_memory(CPU)
