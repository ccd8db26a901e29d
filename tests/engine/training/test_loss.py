"""Losses against formulas that numpy or plain autograd computes, and the settings that are refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TrainingError
from engine.training.loss import SoftLoss, centred_mse, cross_entropy, kl_divergence

ROWS, SETS, CLASSES = 7, 3, 4
temperatures = st.floats(0.25, 20)


def logits_of(*shape, seed=0, spread=3.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32))


def probabilities(logits, temperature):
    """Softmax over the last axis in float64, by numpy."""
    scaled = logits.numpy().astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def expected_kl(student, teachers, temperature):
    """(rows,) T² · Σ p · log(p / q), where p is the mean of the teachers' probabilities at T."""
    p = probabilities(teachers, temperature).mean(axis=1)
    q = probabilities(student, temperature)
    return temperature**2 * (p * np.log(p / q)).sum(axis=-1)


@settings(max_examples=60, deadline=None)
@given(temperature=temperatures, sets=st.integers(1, 4), classes=st.integers(2, 6), seed=st.integers(0, 10**6))
def test_kl_is_that_of_the_teachers_mean_probabilities_at_the_temperature(temperature, sets, classes, seed):
    student, teachers = logits_of(5, classes, seed=seed), logits_of(5, sets, classes, seed=seed + 1)
    found = kl_divergence(student, teachers, temperature=temperature).numpy()
    np.testing.assert_allclose(
        found, expected_kl(student, teachers, temperature), rtol=2e-4, atol=1e-5 + 2e-6 * temperature**2
    )


def test_several_teachers_are_not_averaged_by_their_logits():
    """Two teachers that are sure of different classes together are sure of none."""
    teachers = torch.tensor([[[20.0, 0.0, 0.0], [0.0, 20.0, 0.0]]])
    even = torch.tensor([[0.0, 0.0, -30.0]])
    assert kl_divergence(even, teachers)[0] < 1e-6
    sharp = torch.tensor([[[8.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    assert kl_divergence(sharp.mean(dim=1), sharp)[0] > 0.05


def test_equal_teachers_are_one():
    student, teacher = logits_of(ROWS, CLASSES), logits_of(ROWS, 1, CLASSES, seed=1)
    alone = kl_divergence(student, teacher, temperature=2.0)
    torch.testing.assert_close(kl_divergence(student, teacher.expand(-1, 3, -1), temperature=2.0), alone)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_student_that_agrees_loses_nothing_whatever_is_added_to_its_logits(temperature):
    teacher = logits_of(ROWS, CLASSES)
    divergences = kl_divergence(teacher + 5, teacher[:, None], temperature=temperature)
    assert divergences.abs().max() < 1e-5


def test_the_factor_keeps_gradients_as_large_at_high_temperatures():
    """At high temperatures the gradient nears that of half the squared difference of centred logits, by class."""
    student, teacher = logits_of(ROWS, CLASSES, spread=1), logits_of(ROWS, CLASSES, seed=1, spread=1)
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(kl_divergence(student, teacher[:, None], temperature=300.0).sum(), student)
    apart = (student - student.mean(-1, keepdim=True)) - (teacher - teacher.mean(-1, keepdim=True))
    torch.testing.assert_close(gradient, (apart / CLASSES).detach(), rtol=0.02, atol=2e-3)


def test_half_precision_teachers_are_not_computed_in_half_precision():
    teachers = logits_of(ROWS, SETS, CLASSES).half()
    student = logits_of(ROWS, CLASSES, seed=1)
    for loss in (kl_divergence, centred_mse):
        assert loss(student, teachers).dtype == torch.float32
        torch.testing.assert_close(loss(student, teachers), loss(student, teachers.float()))
        torch.testing.assert_close(loss(student.bfloat16(), teachers), loss(student.bfloat16().float(), teachers))


def test_teachers_that_are_very_sure_give_finite_losses_and_gradients():
    teachers = torch.tensor([[[60_000.0, -60_000.0, 0.0]], [[-60_000.0, 0.0, 60_000.0]]], dtype=torch.float16)
    student = torch.tensor([[-50.0, 50.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    divergences = kl_divergence(student, teachers)
    torch.testing.assert_close(divergences.detach(), torch.tensor([100.0, math.log(3)]))
    (gradient,) = torch.autograd.grad(divergences.sum(), student)
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, 1.0, 0.0], [1 / 3, 1 / 3, -2 / 3]]))


def test_mse_is_that_of_centred_logits_and_their_mean():
    student, teachers = logits_of(ROWS, CLASSES), logits_of(ROWS, SETS, CLASSES, seed=1)
    ours, theirs = student.numpy().astype(np.float64), teachers.numpy().astype(np.float64)
    centred = (theirs - theirs.mean(-1, keepdims=True)).mean(axis=1)
    expected = ((ours - ours.mean(-1, keepdims=True) - centred) ** 2).mean(axis=-1)
    np.testing.assert_allclose(centred_mse(student, teachers).numpy(), expected, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(-50, 50), other=st.floats(-50, 50))
def test_mse_ignores_a_constant_of_each_row(shift, other):
    student, teachers = logits_of(ROWS, CLASSES), logits_of(ROWS, SETS, CLASSES, seed=1)
    constants = torch.linspace(-1, 1, ROWS)[:, None]
    moved = centred_mse(student + shift * constants, teachers + other * constants[:, None])
    torch.testing.assert_close(moved, centred_mse(student, teachers), rtol=1e-4, atol=1e-3)


def test_mse_does_see_a_constant_of_one_class():
    student = logits_of(ROWS, CLASSES)
    assert centred_mse(student, student[:, None]).max() == 0
    moved = student + torch.tensor([1.0, 0, 0, 0])
    torch.testing.assert_close(centred_mse(moved, student[:, None]), torch.full((ROWS,), 3 / 16))


# the loss of a batch

LABELS = torch.tensor([0, -1, 3, 2, -1, 1, -1])


def batch(**more):
    return {"logits": logits_of(ROWS, SETS, CLASSES, seed=1), **more}


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_a_batch_is_the_sum_of_its_rows(kind):
    student, targets = logits_of(ROWS, CLASSES), batch()
    each = {"kl": kl_divergence, "mse": centred_mse}[kind](student, targets["logits"])
    torch.testing.assert_close(SoftLoss(kind=kind)(student, targets), each.sum())


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
@pytest.mark.parametrize(("kind", "temperature"), [("kl", 1.0), ("kl", 2.5), ("mse", 1.0)])
def test_gold_has_its_share_in_rows_that_have_a_label(kind, temperature, share):
    """And rows without one have their whole soft loss; gold is compared at temperature 1."""
    student, targets = logits_of(ROWS, CLASSES), batch(label=LABELS)
    if kind == "kl":
        soft = expected_kl(student, targets["logits"], temperature)
    else:
        soft = centred_mse(student, targets["logits"]).numpy().astype(np.float64)
    logs = np.log(probabilities(student, 1.0))
    expected = 0.0
    for row, label in enumerate(LABELS.tolist()):
        expected += soft[row] if label < 0 else (1 - share) * soft[row] - share * logs[row, label]
    found = SoftLoss(kind=kind, temperature=temperature, gold_weight=share)(student, targets)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_any_gold_has_its_soft_loss():
    student, targets = logits_of(ROWS, CLASSES), batch(label=torch.full((ROWS,), -1))
    torch.testing.assert_close(SoftLoss(gold_weight=0.7)(student, targets), SoftLoss()(student, targets))


def test_labels_are_not_looked_at_where_gold_weighs_nothing():
    student = logits_of(ROWS, CLASSES)
    torch.testing.assert_close(SoftLoss()(student, batch(label=torch.full((ROWS,), 99))), SoftLoss()(student, batch()))


@pytest.mark.parametrize("loss", [SoftLoss(), SoftLoss(kind="mse"), SoftLoss(temperature=2.0, gold_weight=0.4)])
def test_a_row_counts_as_often_as_it_weighs(loss):
    """Weights of whole numbers are repetitions, and a row of weight 0 is not there."""
    student, targets = logits_of(ROWS, CLASSES), batch(label=LABELS)
    weights = torch.tensor([2, 0, 1, 3, 1, 0, 2])
    rows = torch.repeat_interleave(torch.arange(ROWS), weights)
    repeated = loss(student[rows], {name: tensor[rows] for name, tensor in targets.items()})
    torch.testing.assert_close(loss(student, {**targets, "weight": weights.float()}), repeated)


def test_no_rows_lose_nothing():
    student = torch.zeros(0, CLASSES, requires_grad=True)
    targets = {"logits": torch.zeros(0, 1, CLASSES), "label": torch.zeros(0, dtype=torch.int64)}
    loss = SoftLoss(gold_weight=0.5)(student, targets)
    assert loss.detach() == 0
    (gradient,) = torch.autograd.grad(loss, student)
    assert gradient.shape == (0, CLASSES)


def test_cross_entropy_is_the_sum_of_negative_log_likelihoods():
    student, labels = logits_of(ROWS, CLASSES), torch.tensor([0, 1, 2, 3, 3, 2, 1])
    logs = np.log(probabilities(student, 1.0))
    expected = -sum(logs[row, label] for row, label in enumerate(labels.tolist()))
    assert float(cross_entropy(student, {"label": labels})) == pytest.approx(expected, rel=1e-6)


# gradients


def naive(loss, student, targets):
    """The same loss in the plainest words that autograd understands, in float64."""
    temperature, teachers = loss.temperature, targets["logits"].double()
    if loss.kind == "kl":
        p = torch.softmax(teachers / temperature, -1).mean(1)
        q = torch.softmax(student / temperature, -1)
        each = temperature**2 * (p * (torch.log(p) - torch.log(q))).sum(-1)
    else:
        centred = teachers - teachers.mean(-1, keepdim=True)
        each = ((student - student.mean(-1, keepdim=True) - centred.mean(1)) ** 2).mean(-1)
    total = torch.zeros((), dtype=torch.float64)
    for row in range(len(student)):
        label, soft = int(targets["label"][row]), each[row]
        if label >= 0 and loss.gold_weight:
            hard = -torch.log(torch.softmax(student[row], -1)[label])
            soft = (1 - loss.gold_weight) * soft + loss.gold_weight * hard
        total = total + targets["weight"][row].double() * soft
    return total


@settings(max_examples=50, deadline=None)
@given(
    kind=st.sampled_from(["kl", "mse"]),
    temperature=temperatures,
    share=st.sampled_from([0.0, 0.25, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_gradients_are_those_of_the_naive_formula(kind, temperature, share, seed):
    loss = SoftLoss(kind=kind, temperature=temperature if kind == "kl" else 1.0, gold_weight=share)
    weights = torch.from_numpy(np.random.default_rng(seed).uniform(0, 3, ROWS).astype(np.float32))
    targets = {"logits": logits_of(ROWS, SETS, CLASSES, seed=seed + 1), "label": LABELS, "weight": weights}
    student = logits_of(ROWS, CLASSES, seed=seed).requires_grad_()
    exact = student.detach().double().requires_grad_()
    (ours,) = torch.autograd.grad(loss(student, targets), student)
    (theirs,) = torch.autograd.grad(naive(loss, exact, targets), exact)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-3, atol=2e-4)


# settings


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"kind": "huber"}, "--loss is 'huber'; it is kl or mse"),
        ({"temperature": 0.0}, "--temperature is 0; it must be more than 0"),
        ({"temperature": -1.5}, "--temperature is -1.5; it must be more than 0"),
        ({"temperature": math.inf}, "--temperature is inf; it must be more than 0"),
        ({"temperature": math.nan}, "--temperature is nan; it must be more than 0"),
        ({"kind": "mse", "temperature": 2.0}, "--temperature is 2, and --loss mse has none; use --loss kl"),
        ({"gold_weight": -0.1}, "--gold-weight is -0.1; it must be from 0 to 1"),
        ({"gold_weight": 1.5}, "--gold-weight is 1.5; it must be from 0 to 1"),
        ({"gold_weight": math.nan}, "--gold-weight is nan; it must be from 0 to 1"),
    ],
)
def test_settings_that_make_no_loss_are_refused(settings_, message):
    with pytest.raises(TrainingError) as refused:
        SoftLoss(**settings_)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (SoftLoss(), "KL at temperature 1"),
        (SoftLoss(temperature=2.5, gold_weight=0.25), "KL at temperature 2.5, gold labels weighing 0.25"),
        (SoftLoss(kind="mse"), "mean squared error of centred logits"),
    ],
)
def test_a_loss_says_in_words_what_it_is(loss, words):
    assert loss.words() == words
