"""Answers → stored logits: softmax gives back what was said, to what float16 holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.answers.judge import LABELS, Answers
from engine.answers.soft_labels import SMALLEST, as_stored, mean_logits
from store.families.labels import softmax

EVERY = slice(None)


def answers(kind=LABELS, *, rows, classes=(), confidence=None, scores=None):
    rows = np.array(rows, np.int64)
    return Answers(
        kind=kind,
        rows=rows,
        classes=np.array(classes or [0] * len(rows), np.int32),
        confidence=None if confidence is None else np.array(confidence, np.float32),
        scores=None if scores is None else np.array(scores, np.float32),
        positions=np.arange(len(rows)),
        repeated=0,
        notes=[],
    )


def probabilities(given_answers, *, classes, hard=0.9):
    rows, logits = mean_logits(given_answers, EVERY, classes=classes, hard=hard)
    assert logits.dtype == np.float16
    assert np.isfinite(logits).all()
    assert (logits.max(axis=1, initial=-1) == 0).all() if len(logits) else True
    return rows.tolist(), softmax(logits)


@pytest.mark.parametrize("hard", [0.51, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("classes", [2, 3, 20])
def test_a_bare_answer_has_the_stated_probability(hard, classes):
    rows, found = probabilities(answers(rows=[3, 8], classes=[1, 0]), classes=classes, hard=hard)
    assert rows == [3, 8]
    expected = np.full((2, classes), (1 - hard) / (classes - 1))
    expected[[0, 1], [1, 0]] = hard
    np.testing.assert_allclose(found, expected, atol=1e-3 * (1 - hard) * 4, rtol=0)
    assert found.argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize("confidence", [0.0, 1e-4, 0.3, 0.5, 0.77, 0.9999, 1.0])
def test_a_confidence_is_the_probability_of_the_named_class(confidence):
    _, found = probabilities(answers(rows=[0], classes=[2], confidence=[confidence]), classes=3)
    assert found[0, 2] == pytest.approx(max(confidence, SMALLEST), abs=1e-3)
    assert found[0, 0] == found[0, 1]
    assert found.min() > SMALLEST / 2


def test_an_answer_without_a_confidence_is_a_bare_one():
    _, found = probabilities(answers(rows=[0, 1], classes=[0, 0], confidence=[np.nan, 0.6]), classes=2, hard=0.8)
    np.testing.assert_allclose(found[:, 0], [0.8, 0.6], atol=1e-3)


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda row: sum(row) > 0.1), min_size=1))
def test_probabilities_come_back(scores):
    given_scores = np.array(scores)
    given_scores /= given_scores.sum(axis=1, keepdims=True)
    _, found = probabilities(answers("probabilities", rows=range(len(scores)), scores=given_scores), classes=4)
    np.testing.assert_allclose(found, given_scores, atol=2e-3)
    stated = np.maximum(given_scores, SMALLEST)
    np.testing.assert_allclose(found, stated / stated.sum(axis=1, keepdims=True), rtol=0.01)


def test_zero_and_one_are_not_infinite():
    _, found = probabilities(answers("probabilities", rows=[0], scores=[[0, 1, 0]]), classes=3)
    np.testing.assert_allclose(found[0, [0, 2]], SMALLEST, rtol=0.01)


@pytest.mark.parametrize("shift", [0, 100, -3e38])
def test_logits_are_kept_but_for_their_level(shift):
    scores = np.array([[3.0, -2.0, 0.5], [-40, 60, 0]], np.float32) + np.float32(shift)
    _, logits = mean_logits(answers("logits", rows=[0, 1], scores=scores), EVERY, classes=3, hard=0.9)
    expected = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    np.testing.assert_array_equal(logits, expected.astype(np.float16))


def test_logits_beyond_float16_are_its_least():
    found = as_stored(np.array([[0.0, -1e30], [-np.inf, 5.0]]))
    assert found.tolist() == [[0, -65504], [-65504, 0]]


def test_several_answers_to_a_row_are_averaged():
    some = answers(rows=[2, 2, 2, 7], classes=[0, 0, 1, 2])
    rows, found = probabilities(some, classes=3)
    assert rows == [2, 7]
    np.testing.assert_allclose(found[0], [(0.9 + 0.9 + 0.05) / 3, (0.05 + 0.05 + 0.9) / 3, 0.05], atol=1e-3)
    np.testing.assert_allclose(found[1], [0.05, 0.05, 0.9], atol=1e-3)


def test_two_who_contradict_each_other_are_a_tie():
    _, logits = mean_logits(answers(rows=[0, 0], classes=[1, 0]), EVERY, classes=2, hard=0.9)
    assert logits.tolist() == [[0, 0]]


def test_the_mean_of_logits_is_that_of_their_probabilities():
    some = answers("logits", rows=[0, 0], scores=[[2000, 0], [0, 2000]])
    _, found = probabilities(some, classes=2)
    np.testing.assert_allclose(found, [[0.5, 0.5]], atol=1e-3)


def test_no_answers_are_no_rows():
    rows, logits = mean_logits(answers(rows=[]), EVERY, classes=3, hard=0.9)
    assert (rows.tolist(), logits.shape) == ([], (0, 3))
