"""A model that answers no better than one constant for every row is said to have learned nothing."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from store_factory import make_store, random_logits

from engine.training.data.store_steps import SoftLabels
from engine.training.learned import constant_gold_loss, constant_soft_loss, warn_if_nothing_learned
from engine.training.loss import SoftLoss

BERT = SoftLabels(labels=("bert",))


def trained(loss, rank=0, evaluation=None):
    epochs = [SimpleNamespace(loss=9.0), SimpleNamespace(loss=loss)]
    return SimpleNamespace(out="student", rank=rank, epochs=epochs, evaluation=evaluation)


def test_the_loss_of_constant_gold_is_the_entropy_of_the_shares():
    gold = SimpleNamespace(labels=np.array([0, 0, 0, 2]), classes=["a", "b", "c"])
    assert constant_gold_loss(gold) == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert constant_gold_loss(SimpleNamespace(labels=np.array([1, 1]), classes=["a", "b"])) == 0


@pytest.mark.parametrize("loss", [SoftLoss(), SoftLoss(temperature=3.0), SoftLoss(kind="mse")])
@pytest.mark.parametrize("soft", [BERT, SoftLabels(labels=("bert", "roberta"), temperatures=(2.0, 0.5))])
def test_no_other_constant_has_a_lower_loss(loss, soft):
    made = make_store(labels=["bert", "roberta"])
    found = constant_soft_loss(made, soft, loss)
    teachers = np.stack([random_logits(50, seed=at) for at in range(len(soft.labels))], axis=1).astype(np.float32)
    if soft.temperatures is not None:
        teachers /= np.array(soft.temperatures, np.float32)[:, None]
    constant = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=200, tolerance_grad=1e-9)

    def step():
        optimizer.zero_grad()
        value = loss(constant.expand(50, -1), {"logits": torch.from_numpy(teachers)}) / 50
        value.backward()
        return value

    optimizer.step(step)
    assert found == pytest.approx(step().item(), rel=1e-4)


def test_rows_of_a_selection_alone_count():
    made = make_store()
    made.select("few", where="row < 5", labels="bert")
    logits = torch.from_numpy(random_logits(50)[:5].astype(np.float64))
    mean = logits.softmax(-1).mean(0)
    entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()
    expected = float(-(mean * mean.log()).sum() - entropy)
    assert constant_soft_loss(made, SoftLabels(labels=("bert",), select="few"), SoftLoss()) == pytest.approx(
        expected, rel=1e-3
    )


def test_with_weights_or_gold_nothing_is_claimed():
    made = make_store()
    assert constant_soft_loss(made, SoftLabels(labels=("bert",), weights=np.ones(50, np.float32)), SoftLoss()) is None
    assert constant_soft_loss(made, BERT, SoftLoss(gold_weight=0.5)) is None


@pytest.mark.parametrize(
    ("loss", "constant", "rank", "warned"),
    [(0.7, 0.69, 0, True), (0.69, 0.69, 0, True), (0.68, 0.69, 0, False), (0.7, None, 0, False), (0.7, 0.69, 1, False)],
)
def test_the_warning_has_both_figures(caplog, loss, constant, rank, warned):
    with caplog.at_level(logging.WARNING):
        warn_if_nothing_learned(trained(loss, rank), constant)
    assert bool(caplog.records) == warned
    if warned:
        said = caplog.records[0].getMessage()
        assert f"its mean loss in the last epoch is {loss:.4f}" in said
        assert f"has {constant:.4f}" in said
        assert said.endswith(
            "more --epochs or another --learning-rate (`engine compare` has them for each arm, as --teacher-epochs); "
            "and another --out, for this one holds what was trained"
        )


def test_labels_that_are_the_same_everywhere_are_said_not_the_student(caplog):
    """It may have reproduced a teacher that learned nothing itself."""
    warn_if_nothing_learned(trained(0.0001), -1e-9)
    said = caplog.records[0].getMessage()
    assert "are the same for every row" in said
    assert "learned nothing itself" in said
    assert "--epochs" not in said


@pytest.mark.parametrize(("right", "warned"), [(50, True), (60, True), (61, False), (100, False)])
def test_a_model_that_is_right_about_other_rows_has_learned(caplog, right, warned):
    confusion = {"a": {"a": 30, "b": 20}, "b": {"a": 0, "b": 50}}  # 100 rows, half of them of each class
    evaluation = SimpleNamespace(accuracy=right / 100, rows=100, confusion=confusion)
    with caplog.at_level(logging.WARNING):
        warn_if_nothing_learned(trained(0.7, evaluation=evaluation), 0.69)
    assert bool(caplog.records) == warned
